fn main() {
    cc::Build::new().file("src/lib.c").compile("zcselectc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
