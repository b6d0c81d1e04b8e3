fn main() {
    cc::Build::new().file("src/lib.c").compile("zcatforkc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
