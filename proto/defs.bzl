"""Protocol buffers through the system's protoc."""

def ktstr_proto(name, src, deps = [], grpc = False):
    """A cc_library `name` with the C++ of one .proto file.

    Args:
      name: target name; headers are included as "proto/<stem>.pb.h".
      src: the .proto file.
      deps: other ktstr_proto targets it imports.
      grpc: also generate the services ("proto/<stem>.grpc.pb.h").
    """
    stem = src[:-len(".proto")]
    srcs = [stem + ".pb.cc"]
    hdrs = [stem + ".pb.h"]
    cmd = "protoc -I. -I/usr/include --cpp_out=$(GENDIR)"
    if grpc:
        srcs.append(stem + ".grpc.pb.cc")
        hdrs.append(stem + ".grpc.pb.h")
        cmd += " --grpc_out=$(GENDIR) --plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin)"
    native.genrule(
        name = name + "_gen",
        srcs = [src] + [dep + "_src" for dep in deps],
        outs = srcs + hdrs,
        cmd = cmd + " $(location %s)" % src,
    )
    native.filegroup(
        name = name + "_src",
        srcs = [src] + [dep + "_src" for dep in deps],
    )
    native.cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = ["-w"],
        deps = deps + (["@grpc"] if grpc else ["@protobuf"]),
    )
