fn main() {
    cc::Build::new().flag("-fopenmp").file("src/lib.c").compile("zopenmpc");
    println!("cargo::rerun-if-changed=src/lib.c");
    println!("cargo::rustc-link-lib=gomp");
}
