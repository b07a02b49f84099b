#include <archive.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>
#include <tuple>

#include "data/unpack.hpp"
#include "io/output_folder.hpp"
#include "io/safetensors.hpp"
#include "statera/data.hpp"
#include "statera/error.hpp"
#include "statera/tensor.hpp"
#include "support/as_nobody.hpp"
#include "support/files_on_disk.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;

using ByteSourceTest = test::FilesOnDisk;

std::string text(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

// The message of the io error that reading `path` gives.
std::string error_of(const std::string& path) {
  try {
    ByteSource source(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "no error";
}

#define EXPECT_CONTAINS(whole, part) EXPECT_PRED2(contains, whole, std::string(part))
bool contains(const std::string& whole, const std::string& part) { return whole.find(part) != std::string::npos; }

std::string long_text() {
  std::string s;
  for (int i = 0; i < 40000; ++i) s += std::to_string(i * i % 9973) + ",";
  return s;
}

std::string digits() {  // pack to more than is read at once
  std::string s;
  for (uint32_t x = 1; s.size() < 1'000'000; x = x * 1664525 + 1013904223) s += static_cast<char>('0' + (x >> 24) % 10);
  return s;
}

TEST_F(ByteSourceTest, WhatStateraWroteInAFolderIsNoData) {
  write("n/text.txt", "text");
  write("n/sub/more.txt", " and more");
  const OutputFiles files{.names = {"model.safetensors", "last/model.safetensors"}, .known_by = {}, .link = {}};
  for (const char* name : {"n", "n/sub", "n/old"}) {
    OutputFolder run((folder / name).string(), files);
    for (const std::string& file : files.names) std::ofstream(run.at(file).path) << "weights";
  }
  write("n/sub/last/notes.txt", " and notes");  // the user's, wherever they stand
  for (const char* end : {"", "/", "//"}) {
    const ByteSource source((folder / "n").string() + end);
    std::string all;
    for (int64_t i = 0; i < source.documents(); ++i) all += text(source.document(i));
    EXPECT_EQ(all, " and notes and moretext");
    EXPECT_EQ(source.left_out().size(), 3u);
  }
}

// The names of ours with other contents are the user's, and so is what stands beside files of ours; what is ours is
// known without a list.
TEST_F(ByteSourceTest, WhatIsOursIsKnownByWhatItHolds) {
  write("d/a.txt", "text");
  write("d/logs/metrics.jsonl", "{}");
  write("d/logs/model.safetensors", "none");
  write("d/logs/b.txt", " and more");
  const std::string run = "d/run/";
  write(run + "config.json", "{\n  \"format_version\": 1,\n  \"d_model\": 32,\n  \"mixers\": {}\n}");
  write(run + "metrics.jsonl",
        "{\"step\": 1, \"loss\": 5.5, \"bits_per_byte\": 8, \"lr\": 0.1, \"gradient_norm\": 1}\n");
  write(run + "notes.txt", " and notes");
  write(run + "x", std::string("SQLite format 3\0", 16) + "CREATE TABLE trials CREATE TABLE facts");
  Tensor weights(DType::f32, {4});
  fs::create_directories(folder / "d/run/last");
  write_with_checksum((folder / "d/run/last/any.name").string(), std::vector<NamedView>{{"w", weights}},
                      {{"format", "statera 2"}});
  write_safetensors((folder / "d/zz").string(), std::vector<NamedView>{{"w", weights}}, {{"format", "pt"}});
  const ByteSource source((folder / "d").string());
  std::string all;
  for (int64_t i = 0; i + 1 < source.documents(); ++i) all += text(source.document(i));
  EXPECT_EQ(all, "text and more{}none and notes");
  EXPECT_PRED2(contains, text(source.document(source.documents() - 1)), R"("format":"pt")");
  const std::string d = (folder / "d").string();
  EXPECT_EQ(source.left_out(), (std::vector<std::string>{d + "/run: 3 files that statera wrote are left out",
                                                         d + "/run/last: 1 file that statera wrote is left out"}));
}

TEST_F(ByteSourceTest, AFileWithSeveralNamesIsReadOnce) {
  write("h/b.txt", "text");
  fs::create_hard_link(folder / "h/b.txt", folder / "h/c.txt");
  fs::create_hard_link(folder / "h/b.txt", folder / "h/a.txt");
  write("h/d.txt", " and more");
  const std::string h = (folder / "h").string();
  const ByteSource source(h);
  ASSERT_EQ(source.documents(), 2);
  EXPECT_EQ(text(source.document(0)) + text(source.document(1)), "text and more");
  EXPECT_EQ(source.left_out(),
            std::vector<std::string>{h + ": 2 other names (links) of what is read already are left out"});
  for (const char* name : {"a.txt", "c.txt"}) fs::remove(folder / "h" / name);
  fs::create_symlink("b.txt", folder / "h/a.txt");
  EXPECT_EQ(ByteSource(h).documents(), 2);
  EXPECT_EQ(ByteSource(h).left_out(),
            std::vector<std::string>{h + ": 1 other name (a link) of what is read already is left out"});
}

TEST_F(ByteSourceTest, WhatAUserNamedAsOutputIsNoData) {
  write("o/a.txt", "text");
  write("o/costs.tsv", "position\tbyte\tbits\n0\t108\t6.5\n");
  write("o/bench.json",
        "{\n  \"statera\": \"1.0\",\n  \"commit\": \"x\",\n  \"command\": \"statera bench --out o/bench.json\"\n}\n");
  write("o/own.tsv", "position\tbyte\tbits\n");
  write("o/own.json", "{\n  \"statera\": \"1.0\"}");
  const std::string o = (folder / "o").string();
  EXPECT_EQ(ByteSource(o).documents(), 3);
  EXPECT_EQ(ByteSource(o).left_out(), std::vector<std::string>{o + ": 2 files that statera wrote are left out"});
}

// Whatever they are packed in: the same bytes as those that were there when reading was cut.
TEST_F(ByteSourceTest, SoManyBytesAreReadAndNoMore) {
  const std::string long_one = digits();
  write("n/a.txt", "first");
  std::ofstream(folder / "n/b", std::ios::binary) << packed(archive_write_add_filter_gzip, long_one);
  std::ofstream(folder / "n/c", std::ios::binary) << packed(archive_write_add_filter_xz, long_one);
  write("n/d.txt", long_one);
  fs::remove(folder / "packed");
  const std::string all = "first" + long_one + long_one + long_one;
  for (const int64_t bytes : {int64_t{1}, int64_t{5}, int64_t{6}, int64_t{500'000}, int64_t{1'000'005},
                              int64_t{1'700'000}, int64_t{2'600'000}, std::ssize(all)}) {
    const ByteSource source((folder / "n").string(), {.bytes = bytes});
    std::string read;
    for (int64_t i = 0; i < source.documents(); ++i) read += text(source.document(i));
    EXPECT_TRUE(read == all.substr(0, static_cast<size_t>(bytes))) << bytes << " " << read.size();
    EXPECT_FALSE(source.cut().empty());
  }
  EXPECT_TRUE(ByteSource((folder / "n").string(), {.bytes = std::ssize(all) + 1}).cut().empty());
}

TEST_F(ByteSourceTest, KnowsItsFilesByAnyName) {
  write("n/small.txt", "text");
  write("n/large.txt", long_text());
  const std::string other = write("other.txt", "text");
  fs::create_symlink("small.txt", folder / "n/soft");
  fs::create_hard_link(folder / "n/large.txt", folder / "hard");
  const ByteSource source((folder / "n").string());
  const ByteSource part = source.part(0, 1);
  for (const char* name : {"n/small.txt", "n/large.txt", "n/soft", "hard", "n/../n/small.txt"}) {
    EXPECT_TRUE(source.reads((folder / name).string())) << name;
    EXPECT_TRUE(part.reads((folder / name).string())) << name;
  }
  for (const char* name : {"other.txt", "none", "n"}) EXPECT_FALSE(source.reads((folder / name).string())) << name;
}

TEST_F(ByteSourceTest, AFileIsOneDocument) {
  for (const std::string& bytes : {std::string("short\0\xff", 7), long_text()}) {
    const ByteSource source(write("a.txt", bytes));
    ASSERT_EQ(source.documents(), 1);
    EXPECT_EQ(text(source.document(0)), bytes);
    EXPECT_EQ(source.bytes(), static_cast<int64_t>(bytes.size()));
  }
}

TEST_F(ByteSourceTest, AFolderIsReadInTheOrderOfItsPathsWithoutHiddenAndEmptyFiles) {
  write("f/b.txt", "second");
  write("f/a/z.txt", "first");
  write("f/c.txt", "");
  write("f/.git/x", "hidden");
  write("f/d.txt", "third");
  const ByteSource source((folder / "f").string());
  ASSERT_EQ(source.documents(), 3);
  EXPECT_EQ(text(source.document(0)) + text(source.document(1)) + text(source.document(2)), "firstsecondthird");
  const std::string f = (folder / "f").string();
  EXPECT_EQ(source.left_out(), std::vector<std::string>{f + ": 1 hidden file or folder is left out"});
  write("f/a/.b", "hidden");
  EXPECT_EQ(ByteSource(f).left_out(), std::vector<std::string>{f + ": 2 hidden files and folders are left out"});
  EXPECT_EQ(source.document_at(4), 0);
  EXPECT_EQ(source.document_at(5), 1);
  EXPECT_EQ(source.document_at(15), 2);
  const std::vector<std::string> paths{write("g.txt", "one"), (folder / "f").string()};
  EXPECT_EQ(ByteSource(paths).documents(), 4);
}

TEST_F(ByteSourceTest, SplitSharesNothingAndKeepsBoundaries) {
  const std::vector<std::string> documents{"0123456", "789", "abcdefghij"};
  const ByteSource source = ByteSource::from_memory(documents);
  const auto [train, held_out] = source.split(0.25);
  EXPECT_EQ(train.bytes(), 15);
  EXPECT_EQ(held_out.bytes(), 5);
  ASSERT_EQ(train.documents(), 3);
  EXPECT_EQ(text(train.document(2)), "abcde");
  EXPECT_EQ(text(held_out.document(0)), "fghij");
  const auto [a, b] = source.split(0.5);
  EXPECT_EQ(a.documents(), 2);
  EXPECT_EQ(text(b.document(0)), documents[2]);
  EXPECT_EQ(text(source.part(6, 8).document(1)), "7");
  EXPECT_THROW(source.split(0), Error);
  EXPECT_THROW(source.part(3, 3), Error);
  const std::pair<int64_t, int64_t> ranges[] = {{1, 3}, {6, 8}};
  const ByteSource some = source.parts(ranges);
  EXPECT_EQ(some.bytes(), 4);
  EXPECT_EQ(text(some.document(some.documents() - 1)), "7");
  EXPECT_EQ(some.document_begin(1), 2);
  EXPECT_THROW(ByteSource::from_memory(std::vector<std::string>{"x"}).split(), Error);
}

TEST_F(ByteSourceTest, PackedFilesAreReadAndDamagedOnesRefused) {
  const std::string plain = long_text();
  const std::tuple<int (*)(archive*), const char*> filters[] = {{archive_write_add_filter_gzip, ".gz"},
                                                                {archive_write_add_filter_xz, ".xz"},
                                                                {archive_write_add_filter_zstd, ".zst"}};
  for (const auto& [filter, end] : filters) {
    const std::string bytes = packed(filter, plain);
    const std::string name = std::string("p.txt") + end;
    EXPECT_EQ(text(ByteSource(write(name, bytes)).document(0)), plain) << end;
    EXPECT_EQ(text(ByteSource(write(name, bytes + bytes)).document(0)), plain + plain) << end << ", two members";
    for (size_t cut : {size_t{5}, bytes.size() / 2, bytes.size() - 3}) {
      const std::string message = error_of(write(name, bytes.substr(0, cut)));
      EXPECT_CONTAINS(message, name);
      EXPECT_TRUE(message.find("truncated") != std::string::npos || message.find("not packed") != std::string::npos)
          << message;
    }
    std::string flipped = bytes;
    flipped[bytes.size() / 2] = static_cast<char>(flipped[bytes.size() / 2] ^ 0x10);
    EXPECT_CONTAINS(error_of(write(name, flipped)), "corrupt");
    EXPECT_CONTAINS(error_of(write(name, "plain text under a false name")), name);
    EXPECT_CONTAINS(error_of(write(name, packed(filter, ""))), "empty");
    EXPECT_CONTAINS(error_of(write(name, "")), "empty");
  }
}

// The CRC and the length of every member count, not only those of the last.
TEST_F(ByteSourceTest, EveryMemberOfAGzipFileIsChecked) {
  const std::string one = packed(archive_write_add_filter_gzip, "the first text\n"),
                    two = packed(archive_write_add_filter_gzip, long_text());
  for (size_t from_end = 1; from_end <= 8; ++from_end)  // the checksum and the length
    for (const size_t end : {one.size(), one.size() + two.size()}) {
      std::string bytes = one + two;
      bytes[end - from_end] = static_cast<char>(bytes[end - from_end] ^ 1);
      EXPECT_CONTAINS(error_of(write("members.gz", bytes)), "truncated or corrupt (incorrect") << from_end;
    }
  for (size_t at = one.size() + 20; at + 9 < one.size() + two.size(); at += 997) {
    std::string bytes = one + two;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    EXPECT_CONTAINS(error_of(write("members.gz", bytes)), "truncated or corrupt");
  }
  for (const size_t cut : {one.size() + 1, one.size() + 9, one.size() + two.size() - 1})
    EXPECT_CONTAINS(error_of(write("members.gz", (one + two).substr(0, cut))), "unexpected end of file");
}

TEST_F(ByteSourceTest, ZerosMayFollowAGzipFileAndNothingElse) {
  const std::string one = packed(archive_write_add_filter_gzip, "text");
  for (const size_t zeros : {1, 511, 200'000})
    EXPECT_EQ(text(ByteSource(write("padded.gz", one + std::string(zeros, '\0'))).document(0)), "text");
  for (const std::string& behind : {std::string("x"), std::string(3, '\0') + "x", std::string(3, '\0') + one})
    EXPECT_CONTAINS(error_of(write("padded.gz", one + behind)), "after its packed data");
}

// A few bytes that become many: the room for them ends in the middle.
TEST_F(ByteSourceTest, TextsThatPackWellComeOutWhole) {
  for (const size_t size :
       {(size_t{1} << 16) - 1, size_t{1} << 16, (size_t{1} << 16) + 1, size_t{1} << 20, size_t{3'000'000}}) {
    const std::string plain(size, 'a');
    for (const auto filter :
         {archive_write_add_filter_gzip, archive_write_add_filter_xz, archive_write_add_filter_zstd})
      EXPECT_EQ(text(ByteSource(write("a", packed(filter, plain))).document(0)), plain);
  }
}

TEST_F(ByteSourceTest, PackedDataAreKnownByWhatTheyHold) {
  const std::string gzip = packed(archive_write_add_filter_gzip, "text"),
                    xz = packed(archive_write_add_filter_xz, "text"),
                    zstd = packed(archive_write_add_filter_zstd, "text");
  for (const char* name : {"b/no-suffix", "b/A.GZ", "b/B.TXT", "b/d.tgz"})
    for (const std::string& bytes : {gzip, xz, zstd})
      EXPECT_EQ(text(ByteSource(write(name, bytes)).document(0)), "text") << name;
  EXPECT_EQ(text(ByteSource((folder / "b").string()).document(3)), "text");
  for (const char* name : {"plain.GZ", "plain.tgz", "plain.Xz", "plain.tzst"})
    EXPECT_CONTAINS(error_of(write(name, "plain text")), "is not packed as its name says");
  for (const std::string& bytes : {gzip, xz, zstd})
    for (const auto filter :
         {archive_write_add_filter_gzip, archive_write_add_filter_xz, archive_write_add_filter_zstd})
      EXPECT_CONTAINS(error_of(write("twice.gz", packed(filter, bytes))), "packed more than once");
  const std::pair<std::string, const char*> others[] = {
      {"BZh91AY&SY....", "bzip2"},
      {"BZh11AY&SY....", "bzip2"},
      {"PK\3\4......", "zip"},
      {"7z\xbc\xaf\x27\x1c....", "7-Zip"},
      {"\x04\x22\x4d\x18....", "lz4"},
      {"P*M\x18....", "zstd or lz4"},
      {std::string("]\0\0\x80\0", 5) + std::string(8, '\xff'), "lzma"}};
  for (const auto& [bytes, packer] : others)
    EXPECT_CONTAINS(error_of(write("other", bytes)), std::string("is packed by ") + packer);
  EXPECT_EQ(text(ByteSource(write("B", "BZh is no packed text")).document(0)), "BZh is no packed text");
}

// zstd --long=31 on a stream: a frame of one raw block, "text", whose reader should keep a window of 2 GiB.
TEST_F(ByteSourceTest, AWindowThatTakesTooMuchMemoryIsSaid) {
  const std::string bytes("\x28\xb5\x2f\xfd\x00\xa8\x21\x00\x00text", 13);
  const std::string message = error_of(write("long.zst", bytes));
  EXPECT_CONTAINS(message, "a window of 2048 MB");
  EXPECT_CONTAINS(message, "zstd -d --long=31");
  std::string small = bytes;
  small[5] = 0;
  EXPECT_EQ(text(ByteSource(write("long.zst", small)).document(0)), "text");
}

TEST_F(ByteSourceTest, APipeIsReadOnce) {
  const std::string pipe = (folder / "pipe.gz").string(), bytes = packed(archive_write_add_filter_gzip, long_text());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] {
    std::ofstream file(pipe, std::ios::binary);
    for (const char c : bytes.substr(0, 5)) file << c << std::flush;  // the beginning comes in pieces
    file << bytes.substr(5);
  });
  EXPECT_EQ(text(ByteSource(pipe).document(0)), long_text());
  writer.join();
}

// Reading that has no time: one look is taken.
TEST_F(ByteSourceTest, WhatDoesNotComeInTimeIsLeftOut) {
  const ReadOptions no_time{.seconds = 0};
  const auto message = [&](const std::vector<std::string>& paths) -> std::string {
    try {
      ByteSource source(paths, no_time);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::io);
      return error.what();
    }
    return "no error";
  };
  const std::string pipe = (folder / "pipe").string(), small = write("s/a.txt", "small"),
                    large = write("s/b.txt", long_text());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_CONTAINS(message({pipe}), "nothing came from " + pipe + " in the 0 s that reading may take");
  EXPECT_CONTAINS(message({pipe, small}), "nothing came from " + pipe);
  const ByteSource whole(small, no_time);
  EXPECT_EQ(text(whole.document(0)), "small");
  EXPECT_EQ(whole.cut(), "");

  const ByteSource begin(large, no_time), zeros("/dev/zero", no_time);
  EXPECT_EQ(text(begin.document(0)), long_text().substr(0, 1 << 16));
  EXPECT_EQ(begin.cut(), large);
  EXPECT_EQ(zeros.bytes(), 1 << 16);
  EXPECT_EQ(zeros.cut(), "/dev/zero");
  for (const ByteSource& first :
       {ByteSource((folder / "s").string(), no_time), ByteSource(std::vector<std::string>{small, pipe}, no_time)}) {
    EXPECT_EQ(first.documents(), 1);
    EXPECT_EQ(text(first.document(0)), "small");
  }
  EXPECT_EQ(ByteSource((folder / "s").string(), no_time).cut(), large);

  const int writer = open(pipe.c_str(), O_RDWR);  // so that the pipe never ends
  ASSERT_EQ(::write(writer, "some text", 9), 9);
  const ByteSource some(pipe, no_time);
  EXPECT_EQ(text(some.document(0)), "some text");
  EXPECT_EQ(some.cut(), pipe);
  close(writer);
  const std::string noise = digits();
  for (const auto filter :
       {archive_write_add_filter_gzip, archive_write_add_filter_zstd, archive_write_add_filter_xz}) {
    const ByteSource part(write("p", packed(filter, noise)), ReadOptions{.seconds = 0});
    EXPECT_EQ(part.cut(), (folder / "p").string());
    EXPECT_GT(part.bytes(), 1000);
    EXPECT_EQ(noise.rfind(text(part.document(0)), 0), 0u);
  }
}

TEST_F(ByteSourceTest, ReadingCanBeEndedFromOutside) {
  const std::string pipe = (folder / "pipe").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  int calls = 0;
  const auto often = [&] {
    if (++calls == 3) throw std::runtime_error("enough");
  };
  for (const std::string& path :
       {pipe, write("p.xz", packed(archive_write_add_filter_xz, digits())), std::string("/dev/zero")}) {
    calls = 0;
    EXPECT_THROW(ByteSource(path, {.often = often}), std::runtime_error) << path;
  }
}

TEST_F(ByteSourceTest, WhatIsNoFileInAFolderIsNamed) {
  write("f/a.txt", "text");
  const std::string name = (folder / "f").string(), pipe = name + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_CONTAINS(error_of(name), pipe + ": is a pipe, a socket or a device in a folder of files");
  fs::rename(pipe, folder / "pipe");
  EXPECT_EQ(text(ByteSource(name).document(0)), "text");
  fs::create_symlink("../pipe", pipe);
  EXPECT_CONTAINS(error_of(name), pipe + ": is a pipe, a socket or a device");
  fs::remove(pipe);
  fs::create_symlink("/dev/null", pipe);
  EXPECT_CONTAINS(error_of(name), pipe + ": is a pipe, a socket or a device");
  fs::rename(pipe, name + "/.hidden");
  EXPECT_EQ(ByteSource(name).documents(), 1);
}

TEST_F(ByteSourceTest, WhatBecomesOfAFileLaterChangesNothing) {
  const std::string path = write("log.txt", long_text());
  const ByteSource source(path);
  fs::resize_file(path, 3);
  EXPECT_EQ(text(source.document(0)), long_text());
}

TEST_F(ByteSourceTest, AFileThatIsReadFromItsMiddle) {
  const std::string path = write("rest.txt", "a line\n" + long_text());
  const int file = open(path.c_str(), O_RDONLY);
  char line[7];
  ASSERT_EQ(read(file, line, 7), 7);
  Reading reading;
  const ByteBuffer rest = read_bytes(file, path, size_t{1} << 30, reading);
  EXPECT_EQ(text(rest.bytes()), long_text());
  ASSERT_EQ(lseek(file, 0, SEEK_SET), 0);
  const auto message = [&](size_t limit) -> std::string {
    try {
      read_bytes(file, path, limit, reading);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_CONTAINS(message(1000), "rest.txt has 0 MB, and no more than 0 MB");
  close(file);
}

TEST_F(ByteSourceTest, AFileThatEndsBeforeItsSizeIsRefused) {
  const std::string path = "/sys/devices/system/cpu/online";  // its size is said to be a page
  if (!fs::exists(path)) GTEST_SKIP() << "no " << path;
  EXPECT_CONTAINS(error_of(path), "became shorter while it was read");
}

TEST_F(ByteSourceTest, LinksAreFollowedAndNothingIsReadTwice) {
  write("tree/a.txt", "a");
  write("tree/sub/b.txt", "b");
  write("elsewhere/c.txt", "c");
  write("elsewhere/deep/d.txt", "d");
  write("single.txt", "e");
  fs::create_directory_symlink("../elsewhere", folder / "tree/link");
  fs::create_directory_symlink("..", folder / "tree/sub/up");  // in a circle
  fs::create_directory_symlink("sub", folder / "tree/again");  // another name
  fs::create_directory_symlink("../tree", folder / "elsewhere/back");
  fs::create_symlink("../single.txt", folder / "tree/e.txt");
  fs::create_symlink("a.txt", folder / "tree/same.txt");
  const ByteSource source((folder / "tree").string());
  std::string all;
  for (int64_t i = 0; i < source.documents(); ++i) all += text(source.document(i));
  EXPECT_EQ(all, "aecdb");  // a.txt, e.txt, link/c.txt, link/deep/d.txt, sub/b.txt
  fs::create_symlink("nowhere", folder / "tree/dangling");
  EXPECT_CONTAINS(error_of((folder / "tree").string()),
                  "dangling: No such file or directory (a link that leads nowhere?");
}

TEST_F(ByteSourceTest, WhatCannotBeReadIsNamed) {
  EXPECT_CONTAINS(error_of((folder / "missing.txt").string()), "missing.txt: No such file");
  EXPECT_CONTAINS(error_of((folder / "missing.txt.xz").string()), "missing.txt.xz: No such file");
  EXPECT_CONTAINS(error_of((folder / "new\nline").string()), "new\\x0aline: No such file");
  EXPECT_CONTAINS(error_of(write("empty.txt", "")), "empty.txt is empty");
  write("hollow/.hidden", "x");
  write("hollow/empty", "");
  EXPECT_CONTAINS(error_of((folder / "hollow").string()), "hollow holds no bytes");
  EXPECT_THROW(ByteSource(std::span<const std::string>()), Error);
}

TEST_F(ByteSourceTest, WhatMayNotBeReadIsNamed) {
  const std::string path = write("secret.txt", "x");
  fs::permissions(folder, fs::perms::all);
  fs::permissions(path, fs::perms::all);
  EXPECT_TRUE(test::as_nobody([&] { return ByteSource(path).bytes() == 1; }));
  fs::permissions(path, fs::perms::none);
  EXPECT_TRUE(test::as_nobody([&] { return error_of(path).find("Permission denied") != std::string::npos; }));
}

}  // namespace
}  // namespace statera
