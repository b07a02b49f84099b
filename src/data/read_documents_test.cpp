// Documents piece by piece are those of ByteSource.
#include "data/read_documents.hpp"

#include <archive.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "statera/error.hpp"
#include "support/files_on_disk.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;
constexpr size_t most_piece = size_t{1} << 20;

using ReadDocuments = test::FilesOnDisk;

std::string long_text() {
  std::string text;
  uint32_t x = 1;
  while (text.size() < (size_t{5} << 20) / 2) text += std::to_string(x = x * 1664525 + 1013904223) + "\n";
  return text;
}

struct Read {
  DocumentsRead all;
  std::vector<std::string> documents = {};
  std::string open = {};  // of the document that is read
};
Read pieces_of(const std::string& path, const ReadOptions& options = {}) {
  Read read;
  read.all = read_documents(
      path, options,
      [&](std::span<const uint8_t> piece) {
        EXPECT_FALSE(piece.empty());
        EXPECT_LE(piece.size(), most_piece);
        read.open.append(piece.begin(), piece.end());
      },
      [&] { read.documents.push_back(std::exchange(read.open, {})); });
  EXPECT_EQ(read.open, "");
  return read;
}

void expect_as_byte_source(const std::string& path, const ReadOptions& options = {}) {
  SCOPED_TRACE(path);
  const ByteSource source(path, options);
  const Read read = pieces_of(path, options);
  ASSERT_EQ(std::ssize(read.documents), source.documents());
  for (int64_t i = 0; i < source.documents(); ++i) {
    const auto document = source.document(i);
    EXPECT_TRUE(read.documents[static_cast<size_t>(i)] == std::string(document.begin(), document.end())) << i;
  }
  EXPECT_EQ(read.all.bytes, source.bytes());
  EXPECT_EQ(read.all.documents, source.documents());
  EXPECT_EQ(read.all.cut, source.cut());
  EXPECT_EQ(read.all.left_out, source.left_out());
}

TEST_F(ReadDocuments, AreThoseOfByteSource) {
  const std::string text = long_text();
  write("a/plain.txt", text);
  write("a/b/text.gz", packed(archive_write_add_filter_gzip, text));
  write("a/c.xz", packed(archive_write_add_filter_xz, text.substr(7)));
  write("a/d.zst", packed(archive_write_add_filter_zstd, text.substr(0, most_piece)));
  write("a/empty", "");
  write("a/short", "x");
  write("a/.hidden", "x");
  expect_as_byte_source((folder / "a").string());
  expect_as_byte_source((folder / "a/short").string());
  EXPECT_EQ(pieces_of((folder / "a").string()).documents.size(), 5u);
  // Cut after so many bytes, within a document and at its end.
  for (const int64_t bytes : {int64_t{1}, int64_t{70'000}, int64_t{1'500'000}, std::ssize(text), std::ssize(text) + 1})
    for (const char* name : {"a", "a/b/text.gz"}) expect_as_byte_source((folder / name).string(), {.bytes = bytes});
}

// The same messages as those of ByteSource, even where pieces came before.
TEST_F(ReadDocuments, WhatIsWrongIsNamed) {
  const auto same_error = [](const std::string& path) {
    std::string whole, in_pieces;
    try {
      ByteSource source(path);
    } catch (const Error& error) {
      whole = error.what();
    }
    try {
      read_documents(
          path, {}, [](std::span<const uint8_t>) {}, [] {});
    } catch (const Error& error) {
      in_pieces = error.what();
    }
    EXPECT_FALSE(whole.empty()) << path;
    EXPECT_EQ(in_pieces, whole);
  };
  const std::string gzip = packed(archive_write_add_filter_gzip, long_text());
  same_error((folder / "none").string());
  same_error(write("empty", ""));
  same_error(write("cut.gz", gzip.substr(0, gzip.size() - 9)));
  same_error(write("twice.xz", packed(archive_write_add_filter_xz, gzip)));
  same_error(write("not.gz", "text"));
  same_error(write("other", "BZh91AY&SY and so on"));
  fs::create_directories(folder / "hollow");
  same_error((folder / "hollow").string());
}

TEST_F(ReadDocuments, WhatIsThrownEndsIt) {
  struct Stop {};
  const std::string path = write("a.gz", packed(archive_write_add_filter_gzip, long_text()));
  EXPECT_THROW(read_documents(
                   path, {}, [](std::span<const uint8_t>) { throw Stop(); }, [] {}),
               Stop);
  EXPECT_THROW(read_documents(
                   path, {.often = [] { throw Stop(); }}, [](std::span<const uint8_t>) {}, [] {}),
               Stop);
}

}  // namespace
}  // namespace statera
