fn main() {
    cc::Build::new().file("src/lib.c").compile("zcctorc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
