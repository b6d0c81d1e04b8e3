fn main() {
    cc::Build::new().file("src/lib.c").compile("zcdlopenc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
