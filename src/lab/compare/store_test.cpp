// What is done is kept: values, floats, order; other versions, damaged files and a second process are refused in one
// line.
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
  void change(const std::string& sql) const {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sql << ": " << sqlite3_errmsg(database);
    sqlite3_close(database);
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
  change("UPDATE costs SET nats = x'0000803f00' WHERE candidate = 'b'");
  const Store store(path());
  for (const char* name : {"a", "b"}) EXPECT_THROW(store.costs(name, 1), Error) << name;
}

TEST_F(Stores, ARowThatSomebodyChangedIsNotBelieved) {
  const auto made = [&] {
    std::filesystem::remove(path());
    Store store(path());
    store.keep_fact("settings", "{}");
    store.keep_candidate("a", "{\"config\": 1}");
    store.keep_trial("a", "train", "seed 1", "{\"lr\": 1}");
    store.keep_costs("a", 1, {1, 2});
  };
  const auto read = [&]() -> std::string {
    try {
      const Store store(path());
      static_cast<void>(store.fact("settings"));
      static_cast<void>(store.candidates());
      static_cast<void>(store.trial("a", "train", "seed 1"));
      static_cast<void>(store.trials("a", "train"));
      static_cast<void>(store.costs("a", 1));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  made();
  EXPECT_EQ(read(), "");
  for (const char* edit :
       {"UPDATE costs SET nats = zeroblob(length(nats))", "UPDATE costs SET checksum = NULL",
        "UPDATE candidates SET value = '{}'", "UPDATE trials SET value = '{}'",
        "UPDATE facts SET value = '[]' WHERE name = 'settings'",
        "INSERT INTO candidates (name, value, checksum) SELECT name || '2', value, checksum FROM candidates"}) {
    made();
    change(edit);
    EXPECT_NE(read().find("compare.sqlite is damaged (a row of it was changed after it was written)"),
              std::string::npos)
        << edit << "\n"
        << read();
  }
  for (const char* table : {"facts", "candidates", "trials", "costs"}) {
    made();
    change("DROP TABLE " + std::string(table));
    EXPECT_NE(read().find("compare.sqlite is damaged (it has no table '" + std::string(table) + "')"),
              std::string::npos)
        << read();
  }
  made();
  {
    Store store(path());
    store.drop_costs("a", 1);
  }
  EXPECT_EQ(read(), "");
}

TEST_F(Stores, AFileFromBeforeThereWereChecksumsGetsThem) {
  change(
      "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
      "CREATE TABLE candidates (place INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, value TEXT NOT NULL);"
      "CREATE TABLE trials (candidate TEXT, kind TEXT, variant TEXT, value TEXT NOT NULL, PRIMARY KEY (candidate, "
      "kind, variant));"
      "CREATE TABLE costs (candidate TEXT, seed INTEGER, nats BLOB NOT NULL, PRIMARY KEY (candidate, seed));"
      "INSERT INTO facts VALUES ('version', '5'); INSERT INTO candidates VALUES (1, 'a', 'x'); INSERT INTO trials "
      "VALUES ('a', 'train', 'seed 1', 'y');"
      "INSERT INTO costs VALUES ('a', 1, x'0000803f');");
  for (int again = 0; again < 2; ++again) {
    Store store(path());
    EXPECT_EQ(store.fact("version"), "6");
    EXPECT_EQ(store.candidates().at(0).second, "x");
    EXPECT_EQ(store.trial("a", "train", "seed 1"), "y");
    EXPECT_EQ(store.costs("a", 1), std::vector<float>{1});
    store.keep_costs("a", 1, {1});
  }
}

TEST_F(Stores, ANameIsNoCommand) {
  Store store(path());
  const std::string name = "x'); DROP TABLE trials; --";
  store.keep_trial(name, "search", "lr", "1");
  EXPECT_EQ(store.trial(name, "search", "lr"), "1");
}

TEST_F(Stores, RefusesAnotherVersion) {
  { Store(path()).keep_fact("version", "99"); }
  EXPECT_NE(refused().find("has version 99, this program reads 6"), std::string::npos) << refused();
}

TEST_F(Stores, RefusesWhatIsNoDatabase) {
  std::ofstream(path()) << std::string(5000, 'x');
  EXPECT_NE(refused().find("compare.sqlite: file is not a database"), std::string::npos) << refused();
}

TEST_F(Stores, NothingIsWrittenWhereTheFolderIsAnother) {
  bool moved = false;
  {
    Store store(path(), [&] {
      if (moved) throw Error(ErrorCode::io, "moved");
    });
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
