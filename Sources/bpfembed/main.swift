import Glibc

// bpfembed CLANG SOURCE OUTPUT TYPE: see Embedding.swift.
exit(Embedding.run(CommandLine.arguments))
