{
  description = "Scalability protocols in Rust, with the interface of libnanomsg";

  inputs.nixpkgs.url = "nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each = nixpkgs.lib.genAttrs systems;
      package = pkgs: pkgs.rustPlatform.buildRustPackage {
        pname = "libnanomsg-rs";
        version = "1.3.0";
        # The flake lies in packaging/nix: nix build 'git+file:.?dir=packaging/nix'
        src = ../..;
        cargoLock.lockFile = ../../Cargo.lock;
        buildPhase = "make build";
        # The tests talk to other libraries, which are not there.
        doCheck = false;
        installPhase = "make -o build install PREFIX=$out";
        meta = {
          description = "Scalability protocols in Rust, with the interface of libnanomsg";
          homepage = "https://libnanomsg-rs.example.org/";
          license = nixpkgs.lib.licenses.mit;
          platforms = systems;
          mainProgram = "nanocat";
        };
      };
    in {
      packages = each (system: { default = package nixpkgs.legacyPackages.${system}; });
    };
}
