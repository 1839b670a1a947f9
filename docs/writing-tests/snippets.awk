# The suite that a page's ```cpp blocks are together. Compilers name the page and
# its lines.
BEGIN {
  print "#include \"ktstr/ktstr.h\""
  print "namespace {"
  print "using namespace ktstr;"
  print "using namespace std::chrono_literals;"
}
/^```cpp$/ {
  inside = 1
  ++snippets
  printf "#line %d \"%s\"\n", FNR + 1, FILENAME
  next
}
/^```$/ { inside = 0 }
inside { print }
END {
  print "}  // namespace"
  if (snippets == 0) {
    print FILENAME ": no snippet" > "/dev/stderr"
    exit 1
  }
}
