import os

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.files import copy


class LibnanomsgRs(ConanFile):
    name = "libnanomsg-rs"
    version = "1.3.0"
    description = "Scalability protocols in Rust, with the interface of libnanomsg"
    license = "MIT"
    homepage = "https://libnanomsg-rs.example.org/"
    url = "https://git.example.org/libnanomsg-rs"
    topics = ("nanomsg", "messaging", "sockets", "scalability-protocols")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "tls": [True, False]}
    default_options = {"shared": True, "tls": True}

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("the recipe builds for Linux")

    def package_id(self):
        # A C interface, and always optimised.
        del self.info.settings.compiler
        del self.info.settings.build_type

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..")
        for pattern in ("src/*", "include/*", "bindings/cpp/nanomsg/*", "packaging/*.in", "packaging/auditable.py", "docs/man/*", "Makefile", "LICENSE",
                        "README.md", "build.rs", "tests/*", "cbindgen.toml", "Cargo.toml", "Cargo.lock"):
            copy(self, pattern, root, self.export_sources_folder)

    def build(self):
        self.run("make build" + ("" if self.options.tls else " TLS=no"))

    def package(self):
        self.run(f"make -s -o build install PREFIX={self.package_folder}")
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        unwanted = ["libnanomsg.a"] if self.options.shared else [
            "libnanomsg.so", "libnanomsg.so.5", "libnanomsg.so.6", "libnanomsg.so.6.0.1"]
        for name in unwanted:
            os.unlink(os.path.join(self.package_folder, "lib", name))

    def package_info(self):
        self.cpp_info.libs = ["nanomsg"]
        self.cpp_info.set_property("pkg_config_name", "nanomsg")
        self.cpp_info.set_property("cmake_target_name", "nanomsg")
        if not self.options.shared:
            self.cpp_info.defines = ["NN_STATIC_LIB"]
            self.cpp_info.system_libs = ["util", "rt", "pthread", "m", "dl"]
