fn main() {
    cc::Build::new().file("src/lib.c").compile("zcputenvc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
