fn main() {
    cc::Build::new().file("src/lib.c").compile("zcitimerc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
