fn main() {
    cc::Build::new().file("src/lib.c").compile("zcblockedc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
