fn main() {
    cc::Build::new().file("src/lib.c").compile("zcexitc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
