fn main() {
    cc::Build::new().file("src/lib.c").compile("zctimerc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
