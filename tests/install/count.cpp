#include <iostream>
#include <statera/data.hpp>

int main(int, char** argv) { std::cout << statera::ByteSource(argv[1]).bytes() << " bytes\n"; }
