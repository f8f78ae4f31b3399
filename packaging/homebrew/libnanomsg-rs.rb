class LibnanomsgRs < Formula
  desc "Scalability protocols in Rust, with the interface of libnanomsg"
  homepage "https://libnanomsg-rs.example.org/"
  url "https://libnanomsg-rs.example.org/libnanomsg-rs-1.3.0.tar.xz"
  # SHA256SUMS of the release has it.
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "MIT"

  depends_on "rust" => :build

  conflicts_with "nanomsg", because: "both install the same headers and libraries"

  def install
    system "make", "install", "PREFIX=#{prefix}"
  end

  test do
    (testpath/"hello.c").write <<~C
      #include <nanomsg/nn.h>
      #include <nanomsg/pair.h>
      int main (void)
      {
          int s = nn_socket (AF_SP, NN_PAIR);
          return nn_bind (s, "inproc://hello") < 0 || nn_close (s) < 0;
      }
    C
    system ENV.cc, "hello.c", "-I#{include}", "-L#{lib}", "-lnanomsg", "-o", "hello"
    system "./hello"
  end
end
