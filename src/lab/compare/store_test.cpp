// What is done is kept: values, floats, order; other versions, damaged files and a second process are refused in one line.
#include "lab/compare/store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "statera/error.hpp"

namespace statera {
namespace {

class Stores : public ::testing::Test {
 protected:
  Stores() {
    std::string name = (std::filesystem::temp_directory_path() / "statera_store_XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~Stores() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/compare.sqlite"; }
  std::string refused() const {
    try {
      Store store(path());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  std::string folder_;
};

TEST_F(Stores, KeepsWhatWasDone) {
  {
    Store store(path());
    EXPECT_FALSE(store.fact("settings"));
    store.keep_fact("settings", "{}");
    store.keep_fact("settings", R"({"match": "time"})");
    store.keep_candidate("hybrid", "1");
    store.keep_candidate("attention", "2");
    store.keep_candidate("hybrid", "3");
    store.keep_trial("hybrid", "search", "lr 0.002", "a");
    store.keep_trial("hybrid", "search", "lr 0.001", "b");
    store.keep_costs("hybrid", 2, {1.5f, -0.25f, 3e-20f});
  }
  const Store store(path());
  EXPECT_EQ(store.fact("settings"), R"({"match": "time"})");
  const std::vector<std::pair<std::string, std::string>> candidates = {{"hybrid", "3"}, {"attention", "2"}};
  EXPECT_EQ(store.candidates(), candidates);
  EXPECT_EQ(store.trial("hybrid", "search", "lr 0.002"), "a");
  EXPECT_FALSE(store.trial("hybrid", "train", "lr 0.002"));
  EXPECT_EQ(store.trials("hybrid", "search"), (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(store.costs("hybrid", 2), (std::vector<float>{1.5f, -0.25f, 3e-20f}));
  EXPECT_TRUE(store.costs("hybrid", 1).empty());
}

TEST_F(Stores, CostsAreWholeFiniteNumbers) {
  {
    Store store(path());
    store.keep_costs("a", 1, {1.0f, std::nanf("")});
    store.keep_costs("b", 1, {1.0f});
  }
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, "UPDATE costs SET nats = x'0000803f00' WHERE candidate = 'b'", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  const Store store(path());
  for (const char* name : {"a", "b"}) EXPECT_THROW(store.costs(name, 1), Error) << name;
}

TEST_F(Stores, ANameIsNoCommand) {
  Store store(path());
  const std::string name = "x'); DROP TABLE trials; --";
  store.keep_trial(name, "search", "lr", "1");
  EXPECT_EQ(store.trial(name, "search", "lr"), "1");
}

TEST_F(Stores, RefusesAnotherVersion) {
  { Store(path()).keep_fact("version", "99"); }
  EXPECT_NE(refused().find("has version 99, this program reads 5"), std::string::npos) << refused();
}

TEST_F(Stores, RefusesWhatIsNoDatabase) {
  std::ofstream(path()) << std::string(5000, 'x');
  EXPECT_NE(refused().find("compare.sqlite: file is not a database"), std::string::npos) << refused();
}

TEST_F(Stores, NothingIsWrittenWhereTheFolderIsAnother) {
  bool moved = false;
  {
    Store store(path(), [&] { if (moved) throw Error(ErrorCode::io, "moved"); });
    store.keep_fact("settings", "before");
    moved = true;
    EXPECT_THROW(store.keep_fact("settings", "after"), Error);
    EXPECT_THROW(store.keep_candidate("hybrid", "1"), Error);
    EXPECT_THROW(store.keep_trial("hybrid", "search", "lr", "1"), Error);
    EXPECT_THROW(store.keep_costs("hybrid", 1, {1}), Error);
    EXPECT_EQ(store.fact("settings"), "before");
    std::filesystem::rename(folder_, folder_ + ".old");
    std::filesystem::create_directory(folder_);
    std::ofstream(path() + "-journal") << "another comparison's";
  }
  EXPECT_TRUE(std::filesystem::exists(path() + "-journal"));
  std::filesystem::remove_all(folder_ + ".old");
}

TEST_F(Stores, OneProcessAtATime) {
  Store first(path());
  EXPECT_NE(refused().find("another comparison is running in this folder"), std::string::npos) << refused();
}

}  // namespace
}  // namespace statera
