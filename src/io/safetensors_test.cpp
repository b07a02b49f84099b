#include "io/safetensors.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "io/atomic_file.hpp"
#include "statera/error.hpp"
#include "support/file_tensors.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;

std::string read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Safetensors : public testing::Test {
 protected:
  Safetensors()
      : folder_(fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::create_directories(folder_);
  }
  ~Safetensors() override { fs::remove_all(folder_); }
  std::string path(const std::string& name = "x.safetensors") const { return folder_ / name; }

  std::string put(const std::string& bytes) const {
    std::ofstream(path(), std::ios::binary) << bytes;
    return path();
  }
  static std::string with_length(uint64_t length, const std::string& rest) {
    return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + rest;
  }
  std::string put(const std::string& header, size_t data_bytes) const {
    return put(with_length(header.size(), header + std::string(data_bytes, '\1')));
  }

  static std::string error_of(const std::string& path, ErrorCode code = ErrorCode::io) {
    try {
      SafetensorsFile::open(path);
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_EQ(error.code(), code) << what;
      EXPECT_EQ(what.find('\n'), std::string::npos) << what;
      EXPECT_EQ(what.rfind(path + ": ", 0), 0u) << what;
      return what.substr(std::min(what.size(), path.size() + 2));
    }
    ADD_FAILURE() << "no error";
    return {};
  }
  // the error of a file with this header and so many bytes of data; `wanted` must stand in it
  void refuses(const std::string& header, size_t data_bytes, const std::string& wanted,
               ErrorCode code = ErrorCode::io) const {
    const std::string error = error_of(put(header, data_bytes), code);
    EXPECT_NE(error.find(wanted), std::string::npos) << error << "\n  for " << header.substr(0, 200);
  }

 private:
  fs::path folder_;
};

double element(const View& v, int64_t i) {
  switch (v.dtype) {
    case DType::f64:
      return v.as<double>()[i];
    case DType::f32:
      return static_cast<double>(v.as<float>()[i]);
    case DType::i64:
      return static_cast<double>(v.as<int64_t>()[i]);
    case DType::i32:
      return v.as<int32_t>()[i];
    case DType::i16:
      return static_cast<const int16_t*>(v.data)[i];
    case DType::i8:
      return static_cast<const int8_t*>(v.data)[i];
    case DType::f16:
    case DType::bf16:
      return static_cast<const uint16_t*>(v.data)[i];
    case DType::u8:
    case DType::boolean:
      return static_cast<const uint8_t*>(v.data)[i];
  }
  return 0;
}

double expected_element(DType dtype, int64_t i) {  // see tests/golden/io/make.py
  switch (dtype) {
    case DType::f16:
    case DType::bf16:
      return static_cast<double>(i * 257);
    case DType::boolean:
      return static_cast<double>(i % 2);
    case DType::u8:
      return static_cast<double>(i);
    default:
      return static_cast<double>(i) - 3;
  }
}

TEST_F(Safetensors, AgreesWithTheReferenceImplementation) {
  for (const char* name : {"types", "shapes", "nothing"}) {
    const std::string golden = test::source_path("tests/golden/io/") + name + ".safetensors";
    const SafetensorsFile file = SafetensorsFile::open(golden);
    const test::FileTensors tensors(file);
    for (const NamedView& tensor : tensors.views)
      for (int64_t i = 0; i < tensor.view.elements(); ++i)
        ASSERT_EQ(element(tensor.view, i), expected_element(tensor.view.dtype, i))
            << name << " " << tensor.name << " " << i;
    const std::vector<NamedView> shuffled(tensors.views.rbegin(), tensors.views.rend());
    write_safetensors(path(), shuffled, file.metadata());
    EXPECT_EQ(read_bytes(path()), read_bytes(golden)) << name;
  }
  const SafetensorsFile types = SafetensorsFile::open(test::source_path("tests/golden/io/types.safetensors"));
  EXPECT_EQ(types.tensors().size(), 20u);
  EXPECT_EQ(types.metadata().at("format"), "pt");
  EXPECT_EQ(types.at("bool.odd").shape, Shape({3, 1, 5}));
  EXPECT_EQ(types.at("bfloat16.one").dtype, DType::bf16);
  const SafetensorsFile shapes = SafetensorsFile::open(test::source_path("tests/golden/io/shapes.safetensors"));
  EXPECT_EQ(shapes.at("scalar").shape, Shape());
  EXPECT_EQ(shapes.at("nothing").shape, Shape({4, 0, 3}));
  EXPECT_EQ(shapes.at("a name with \"quotes\", a \\ and \xC3\xA4").shape.elements(), 9);
}

TEST_F(Safetensors, StridedViewsAndMetadata) {
  Tensor t(DType::f32, {3, 4});
  for (int i = 0; i < 12; ++i) t.as<float>()[i] = static_cast<float>(i);
  const std::vector<NamedView> tensors{{"part", t.view().columns(1, 2)}};
  write_safetensors(path(), tensors, {{"step", "12"}, {"config", "{\"a\": 1}\n"}});
  SafetensorsFile file = SafetensorsFile::open(path());
  const SafetensorsFile moved = std::move(file);
  const Tensor tensor = moved.read(moved.at("part"));
  const View part = tensor;
  EXPECT_EQ(part.shape, Shape({3, 2}));
  for (int row = 0; row < 3; ++row)
    for (int col = 0; col < 2; ++col) EXPECT_EQ(part.as<float>()[2 * row + col], static_cast<float>(4 * row + col + 1));
  EXPECT_EQ(moved.metadata(), (std::map<std::string, std::string>{{"step", "12"}, {"config", "{\"a\": 1}\n"}}));
  EXPECT_EQ(moved.find("other"), nullptr);
  try {
    moved.at("parts");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), path() + ": no tensor 'parts'; did you mean 'part'?");
  }
}

TEST_F(Safetensors, TensorsThatAreNotAlignedInTheFile) {
  std::string header =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})";
  std::string data(9, '\0');
  const float values[] = {1.5f, -2};
  std::memcpy(data.data() + 1, values, sizeof(values));
  const SafetensorsFile file = SafetensorsFile::open(put(with_length(header.size(), header + data)));
  const Tensor b = file.read(file.at("b"));
  EXPECT_EQ(b.as<float>()[0], 1.5f);
  EXPECT_EQ(b.as<float>()[1], -2.0f);
}

TEST_F(Safetensors, AFileThatIsWrittenToMeanwhileIsRefused) {
  const std::vector<float> values(100'000, 1.5f);
  const std::vector<NamedView> tensors{{"a", View(const_cast<float*>(values.data()), DType::f32, {100'000})}};
  write_safetensors(path(), tensors);
  const SafetensorsFile file = SafetensorsFile::open(path());
  fs::resize_file(path(), 1000);
  try {
    file.read(file.at("a"));
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), path() + ": the file was written to while it was read; try again when that is done");
  }
  write_safetensors(path("again"), tensors);
  const SafetensorsFile again = SafetensorsFile::open(path("again"));
  write_safetensors(path("other"), {});
  fs::rename(path("other"), path("again"));  // replaced, not written to
  EXPECT_EQ(again.read(again.at("a")).as<float>()[99'999], 1.5f);
}

TEST_F(Safetensors, FilesThatCannotBeRead) {
  EXPECT_EQ(error_of(path("none")), "cannot open: No such file or directory");
  EXPECT_EQ(error_of(testing::TempDir()), "expected a file, got a folder");
  EXPECT_EQ(error_of("/dev/null"), "expected a regular file, got a pipe or device");
  EXPECT_EQ(error_of(put("")), "the file is empty");
}

TEST_F(Safetensors, HeaderLength) {
  EXPECT_EQ(error_of(put("abc")), "no safetensors file: 3 bytes are too short");
  EXPECT_NE(error_of(put(with_length(3, "{}"))).find("a header of 3 bytes in a file of 10"), std::string::npos);
  EXPECT_NE(error_of(put(with_length(100'000'001, "{}"))).find("expected at most 100000000"), std::string::npos);
  EXPECT_NE(error_of(put(with_length(UINT64_MAX, "{}"))).find("a header of 18446744073709551615 bytes"),
            std::string::npos);
  EXPECT_NE(error_of(put(with_length(0, "{}"))).find("does not begin with '{'"), std::string::npos);
}

TEST_F(Safetensors, HeaderThatIsNoJson) {
  refuses(" {}", 0, "does not begin with '{'");
  refuses("{", 0, "no valid JSON at its byte 2");
  refuses("{}x", 0, "no valid JSON");
  refuses("{\"\xff\":1}", 0, "no valid JSON");
  refuses("{\"a\":1e999}", 0, "no valid JSON");
  refuses(std::string("{\0}", 3), 0, "no valid JSON");
  std::string deep = "{\"a\":{\"shape\":";
  deep.append(1 << 20, '[');
  refuses(deep, 0, "tensor 'a': got a list");
  deep.clear();
  for (int i = 0; i < 1 << 18; ++i) deep += "{\"shape\":";
  refuses(deep, 0, "tensor 'shape': got an object inside");
}

TEST_F(Safetensors, HeaderOfAnotherForm) {
  refuses(R"({"a":5})", 0, "tensor 'a': got the number 5");
  refuses(R"({"a":[]})", 0, "tensor 'a': got a list");
  refuses(R"({"a":{}})", 0, "tensor 'a': expected dtype, shape and two data_offsets");
  refuses(R"({"a":{"dtype":"F32","shape":[1]}})", 4, "expected dtype, shape and two data_offsets");
  refuses(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "expected dtype, shape and two data_offsets");
  refuses(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "expected two data_offsets");
  refuses(R"({"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}})", 4, "shape occurs twice");
  refuses(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "dtype occurs twice");
  refuses(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"data_offsets":[0,4]}})", 4,
          "data_offsets occurs twice");
  refuses(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4, "tensor 'a': unknown key 'x'");
  refuses(R"({"a":{"dtype":32,"shape":[1],"data_offsets":[0,4]}})", 4, "got the number 32");
  refuses(R"({"a":{"dtype":"F32","shape":"[1]","data_offsets":[0,4]}})", 4, "got the string '[1]'");
  refuses(R"({"a":{"dtype":"F32","shape":[null],"data_offsets":[0,4]}})", 4, "got null");
  refuses(R"({"__metadata__":{"a":1}})", 0, "'__metadata__': got the number 1");
  refuses(R"({"__metadata__":{"a":"1","a":"2"}})", 0, "the key 'a' occurs twice");
  refuses(R"({"__metadata__":{},"__metadata__":{}})", 0, "expected it once");
  refuses(R"({"__metadata__":"x"})", 0, "'__metadata__': got the string 'x'");
}

TEST_F(Safetensors, TypesAndRanksThatTheEngineLacks) {
  refuses(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", 1, "tensor 'a': element type 'F8_E4M3'",
          ErrorCode::unsupported);
  refuses(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1],"data_offsets":[0,1]}})", 1, "tensor 'a': more than 5 axes",
          ErrorCode::unsupported);
}

TEST_F(Safetensors, Shapes) {
  const auto shape = [&](const std::string& dims, size_t bytes, const std::string& wanted) {
    refuses(R"({"a":{"dtype":"F32","shape":)" + dims + R"(,"data_offsets":[0,)" + std::to_string(bytes) + "]}}", bytes,
            wanted);
  };
  shape("[-1]", 4, "tensor 'a': expected numbers >= 0, got -1");
  shape("[1.0]", 4, "tensor 'a': expected whole numbers, got '1.0'");
  shape("[2]", 4, "tensor 'a': shape [2] of f32 needs 8 bytes, got 4");
  shape("[]", 8, "needs 4 bytes, got 8");
  shape("[18446744073709551615]", 4, "a dimension of 18446744073709551615");
  shape("[99999999999999999999]", 4, "expected whole numbers");
  shape("[4611686018427387904,4]", 0, "overflows");  // 2^64 elements
  shape("[4611686018427387905]", 4, "overflows");    // 2^64 + 4 bytes
  shape("[0,4611686018427387904,4611686018427387904]", 0, "overflows");
}

TEST_F(Safetensors, Offsets) {
  const auto two = [&](const std::string& first, const std::string& second, size_t bytes, const std::string& wanted) {
    refuses(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
                R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}",
            bytes, wanted);
  };
  two("[0,4]", "[2,6]", 8, "tensor 'b': expected its data at 4, got 2 (it overlaps another tensor)");
  two("[0,4]", "[0,4]", 8, "it overlaps another tensor");
  two("[0,4]", "[5,9]", 9, "tensor 'b': expected its data at 4, got 5 (there is a gap)");
  two("[1,5]", "[5,9]", 9, "tensor 'a': expected its data at 0, got 1 (there is a gap)");
  two("[0,4]", "[8,4]", 8, "tensor 'b': data_offsets 8 to 4 run backwards");
  two("[0,4]", "[4,8]", 7, "tensor 'b': data_offsets end at 8, but the file has 7 bytes of data (is it complete?)");
  two("[0,4]", "[4,18446744073709551615]", 8, "data_offsets end at 18446744073709551615");
  two("[0,4]", "[4,8]", 9, "the tensors end at 8, but the file has 9 bytes of data");
  two("[0,4]", "[-4,8]", 8, "expected numbers >= 0, got -4");
  refuses("{}", 1, "the tensors end at 0, but the file has 1 bytes of data");
}

TEST_F(Safetensors, NamesThatRepeat) {
  refuses(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2,
      "two tensors have the name 'a'");
}

TEST_F(Safetensors, AnyFlippedBitOfAFileWithAChecksumIsSeen) {
  Tensor values(DType::f32, {3, 4}), bytes(DType::u8, {13});
  for (int i = 0; i < 12; ++i) values.as<float>()[i] = static_cast<float>(i);
  std::memset(bytes.view().data, 7, 13);
  const std::vector<NamedView> tensors{{"part", values.view().columns(1, 2)}, {"odd", bytes}};
  write_with_checksum(path(), tensors, {{"step", "12"}});
  const SafetensorsFile file = SafetensorsFile::open(path());
  file.require_checksum();
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"step", "12"}}));
  EXPECT_EQ(file.read(file.at("part")).as<float>()[5], 10.0f);
  const std::string good = read_bytes(path());
  for (size_t at = 0; at < good.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      put(bad);
      EXPECT_THROW(SafetensorsFile::open(path()).require_checksum(), Error) << "bit " << bit << " of byte " << at;
    }
  std::string bad = good;
  bad.back() ^= 1;
  EXPECT_NE(error_of(put(bad)).find("the bytes do not have the checksum that the file holds"), std::string::npos);
  write_safetensors(path("without"), tensors, {{"step", "12"}});
  EXPECT_FALSE(SafetensorsFile::open(path("without")).has_checksum());
  EXPECT_THROW(SafetensorsFile::open(path("without")).require_checksum(), Error);
  EXPECT_THROW(write_safetensors(path(), tensors, {{"statera_checksum", "0"}}), Error);
}

// A megabyte is read at a time; rows that are not dense come in pieces of any length.
TEST_F(Safetensors, TheChecksumDoesNotDependOnThePieces) {
  Tensor wide(DType::u8, {70'000, 37});
  for (int64_t i = 0; i < wide.shape().elements(); ++i)
    static_cast<uint8_t*>(wide.view().data)[i] = static_cast<uint8_t>(i * i / 3);
  Tensor dense(DType::u8, {70'000, 19});
  copy(wide.view().columns(3, 19), dense);
  write_with_checksum(path("a"), std::vector<NamedView>{{"x", wide.view().columns(3, 19)}}, {});
  write_with_checksum(path("b"), std::vector<NamedView>{{"x", dense}}, {});
  EXPECT_TRUE(read_bytes(path("a")) == read_bytes(path("b")));
  SafetensorsFile::open(path("a")).require_checksum();
}

TEST_F(Safetensors, WriterRefusesBadNames) {
  const Tensor t(DType::f32, {1});
  for (const std::vector<NamedView>& tensors :
       {std::vector<NamedView>{{"a", t}, {"a", t}}, std::vector<NamedView>{{"__metadata__", t}},
        std::vector<NamedView>{{"\xff", t}}, std::vector<NamedView>{{"a", View(nullptr, DType::f32, {1})}}})
    EXPECT_THROW(write_safetensors(path(), tensors), Error);
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(Safetensors, TruncatedFilesAreRefused) {
  const std::string whole = read_bytes(test::source_path("tests/golden/io/types.safetensors"));
  for (size_t size = 0; size < whole.size(); size += 7) error_of(put(whole.substr(0, size)));
}

TEST_F(Safetensors, AFullDiskLeavesTheOldFile) {
  const Tensor small(DType::f32, {4}), large(DType::f32, {1 << 20});
  write_safetensors(path(), std::vector<NamedView>{{"a", small}});
  const std::string before = read_bytes(path());
  // A limit on the size of files stands in for the disk: write() stops in the middle and then fails.
  rlimit old_limit;
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{100'000, old_limit.rlim_max};
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  std::string message;
  try {
    write_safetensors(path(), std::vector<NamedView>{{"a", large}});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(message, path() + ": cannot write the file: File too large (what was saved before is still there)");
  EXPECT_EQ(read_bytes(path()), before);
  EXPECT_FALSE(fs::exists(partial_path(path())));
}

}  // namespace
}  // namespace statera
