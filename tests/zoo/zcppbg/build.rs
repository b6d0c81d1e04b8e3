fn main() {
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .cpp_link_stdlib_static(true)
        .file("src/lib.cc")
        .compile("zcppbgc");
    println!("cargo::rerun-if-changed=src/lib.cc");
}
