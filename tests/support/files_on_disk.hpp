// A fixture with a folder of its own, for tests of what reads files. For tests of what is linked with the lab.
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace statera::test {

struct FilesOnDisk : testing::Test {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("statera_files_" + std::to_string(getpid()));
  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return (folder / name).string();
  }
  // The bytes packed by a filter of libarchive. What it writes is hidden, so that a reader of the folder leaves it out.
  std::string packed(int (*add_filter)(archive*), const std::string& bytes) const {
    const std::string out = (folder / ".packed").string();
    archive* a = archive_write_new();
    archive_entry* entry = archive_entry_new();
    archive_entry_set_filetype(entry, AE_IFREG);
    EXPECT_EQ(add_filter(a), ARCHIVE_OK);
    EXPECT_EQ(archive_write_set_format_raw(a), ARCHIVE_OK);
    EXPECT_EQ(archive_write_set_bytes_in_last_block(a, 1), ARCHIVE_OK);  // no padding
    EXPECT_EQ(archive_write_open_filename(a, out.c_str()), ARCHIVE_OK);
    EXPECT_EQ(archive_write_header(a, entry), ARCHIVE_OK);
    EXPECT_EQ(archive_write_data(a, bytes.data(), bytes.size()), static_cast<la_ssize_t>(bytes.size()));
    archive_entry_free(entry);
    EXPECT_EQ(archive_write_free(a), ARCHIVE_OK);
    std::ifstream file(out, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

}  // namespace statera::test
