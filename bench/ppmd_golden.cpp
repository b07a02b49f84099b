// Our PPMd beside another's sizes. usage: ppmd_golden TABLE FOLDER     TABLE:
// file,first_bytes,order,memory_bytes,code_bytes[,...] with a line of names first, files in FOLDER. Prints a line a
// row; exit 1 if one differs by more than 0.1 %.
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <numbers>
#include <sstream>
#include <string>

#include "lab/ppmd/ppmd.hpp"
#include "statera/data.hpp"

namespace {
struct Row {
  std::string file, bytes, order, memory, expected;
};

double difference(const Row& row, const std::string& folder) {
  const statera::ByteSource source(folder + "/" + row.file);
  const statera::ByteSource text = source.part(0, std::stoll(row.bytes));
  statera::Ppmd model({.order = std::stoi(row.order), .memory = std::stoll(row.memory)});
  double nats = 0;
  for (const uint8_t byte : text.document(0)) nats += model.code(byte);
  const double bytes = nats / std::numbers::ln2 / 8, expected = std::stod(row.expected),
               percent = 100 * (bytes / expected - 1);
  std::printf("%-42s %8s bytes, order %2s: %9.0f here, %9.0f there, %+.4f %%\n", row.file.c_str(), row.bytes.c_str(),
              row.order.c_str(), bytes, expected, percent);
  return std::abs(percent);
}

int check(const std::string& table, const std::string& folder) {
  std::ifstream in(table);
  std::string line;
  std::getline(in, line);
  double worst = 0;
  int rows = 0;
  for (; std::getline(in, line); ++rows) {
    std::istringstream cells(line);
    Row row;
    for (std::string* cell : {&row.file, &row.bytes, &row.order, &row.memory, &row.expected})
      std::getline(cells, *cell, ',');
    worst = std::max(worst, difference(row, folder));
  }
  std::printf("%d rows, the largest difference is %.4f %%\n", rows, worst);
  return rows > 0 && worst <= 0.1 ? 0 : 1;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: ppmd_golden TABLE FOLDER\n");
    return 2;
  }
  try {
    return check(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
