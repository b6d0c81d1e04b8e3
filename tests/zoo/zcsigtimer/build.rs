fn main() {
    cc::Build::new().file("src/lib.c").compile("zcsigtimerc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
