fn main() {
    cc::Build::new().file("src/lib.c").compile("zcbarrierc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
