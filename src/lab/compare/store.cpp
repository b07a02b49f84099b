#include "lab/compare/store.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/check.hpp"
#include "io/printable.hpp"

namespace statera {

namespace {
constexpr const char* version = "5";

// One process at a time: the lock is held until the store is closed. The journal stays, empty: SQLite would remove it by its path, which may lead
// to another folder by then.
constexpr const char* tables =
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = PERSIST; PRAGMA journal_size_limit = 0; BEGIN EXCLUSIVE; COMMIT;"
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS candidates (place INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS trials (candidate TEXT, kind TEXT, variant TEXT, value TEXT NOT NULL, PRIMARY KEY (candidate, kind, variant));"
    "CREATE TABLE IF NOT EXISTS costs (candidate TEXT, seed INTEGER, nats BLOB NOT NULL, PRIMARY KEY (candidate, seed));";

sqlite3* handle(void* database) { return static_cast<sqlite3*>(database); }
}  // namespace

void Store::Close::operator()(void* database) const { sqlite3_close(handle(database)); }

// A prepared statement; bind in order, then rows.
struct Store::Statement {
  Statement(const Store& store, const char* sql) : store(store) { check(sqlite3_prepare_v2(handle(store.database_.get()), sql, -1, &statement, nullptr)); }
  ~Statement() { sqlite3_finalize(statement); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(const std::string& text) {
    check(sqlite3_bind_text(statement, ++bound, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT));
    return *this;
  }
  Statement& bind(int64_t number) {
    check(sqlite3_bind_int64(statement, ++bound, number));
    return *this;
  }
  Statement& bind(const std::vector<float>& values) {
    check(sqlite3_bind_blob64(statement, ++bound, values.data(), values.size() * sizeof(float), SQLITE_TRANSIENT));
    return *this;
  }
  bool next() {
    const int result = sqlite3_step(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE) check(result);
    return result == SQLITE_ROW;
  }
  std::string text(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement, column));
    return data ? std::string(data, static_cast<size_t>(sqlite3_column_bytes(statement, column))) : std::string();
  }
  void check(int result) const {
    require(result == SQLITE_OK, ErrorCode::io, store.path_, ": ", sqlite3_errmsg(handle(store.database_.get())),
            result == SQLITE_FULL ? "; make room on the disk, then run the same command again"
            : result == SQLITE_BUSY ? "; is another comparison running in this folder?"
                                    : "; take another folder with --out if it cannot be mended");
  }

  const Store& store;
  sqlite3_stmt* statement = nullptr;
  int bound = 0;
};

Store::Store(const std::string& path, std::function<void()> before_write) : path_(path), before_write_(std::move(before_write)) {
  sqlite3* database = nullptr;
  const int result = sqlite3_open(path.c_str(), &database);
  database_.reset(database);
  require(result == SQLITE_OK, ErrorCode::io, path, ": ", database ? sqlite3_errmsg(database) : "no memory", "; choose another folder with --out");
  char* message = nullptr;
  if (sqlite3_exec(database, tables, nullptr, nullptr, &message) != SQLITE_OK) {
    const std::string why = message ? message : "cannot be read";
    sqlite3_free(message);
    fail(ErrorCode::io, path, ": ", sqlite3_errcode(database) == SQLITE_BUSY ? "another comparison is running in this folder" : why,
         "; choose another folder with --out");
  }
  if (const auto found = fact("version"); !found) keep_fact("version", version);
  else
    require(*found == version, ErrorCode::config, path, " has version ", *found, ", this program reads ", version,
            "; choose another folder with --out, or compare with the program that made it");
}

Store::~Store() = default;

void Store::write(Statement& statement) {
  if (before_write_) before_write_();
  statement.next();
}

std::optional<std::string> Store::fact(const std::string& name) const {
  Statement s(*this, "SELECT value FROM facts WHERE name = ?");
  return s.bind(name).next() ? std::optional(s.text(0)) : std::nullopt;
}

void Store::keep_fact(const std::string& name, const std::string& value) {
  Statement s(*this, "INSERT OR REPLACE INTO facts VALUES (?, ?)");
  write(s.bind(name).bind(value));
}

std::vector<std::pair<std::string, std::string>> Store::candidates() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (Statement s(*this, "SELECT name, value FROM candidates ORDER BY place"); s.next();) all.emplace_back(s.text(0), s.text(1));
  return all;
}

void Store::keep_candidate(const std::string& name, const std::string& value) {
  Statement s(*this, "INSERT INTO candidates (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value");
  write(s.bind(name).bind(value));
}

std::optional<std::string> Store::trial(const std::string& candidate, const std::string& kind, const std::string& variant) const {
  Statement s(*this, "SELECT value FROM trials WHERE candidate = ? AND kind = ? AND variant = ?");
  return s.bind(candidate).bind(kind).bind(variant).next() ? std::optional(s.text(0)) : std::nullopt;
}

std::vector<std::string> Store::trials(const std::string& candidate, const std::string& kind) const {
  std::vector<std::string> all;
  Statement s(*this, "SELECT value FROM trials WHERE candidate = ? AND kind = ? ORDER BY variant");
  for (s.bind(candidate).bind(kind); s.next();) all.push_back(s.text(0));
  return all;
}

void Store::keep_trial(const std::string& candidate, const std::string& kind, const std::string& variant, const std::string& value) {
  Statement s(*this, "INSERT OR REPLACE INTO trials VALUES (?, ?, ?, ?)");
  write(s.bind(candidate).bind(kind).bind(variant).bind(value));
}

std::vector<float> Store::costs(const std::string& candidate, int64_t seed) const {
  Statement s(*this, "SELECT nats FROM costs WHERE candidate = ? AND seed = ?");
  if (!s.bind(candidate).bind(seed).next()) return {};
  const std::string bytes = s.text(0);
  std::vector<float> nats(bytes.size() / sizeof(float));
  std::memcpy(nats.data(), bytes.data(), nats.size() * sizeof(float));
  require(nats.size() * sizeof(float) == bytes.size() && std::ranges::all_of(nats, [](float x) { return std::isfinite(x); }), ErrorCode::io, path_,
          " is damaged (the costs of ", in_quotes(candidate), " are no finite numbers); choose another folder with --out");
  return nats;
}

void Store::keep_costs(const std::string& candidate, int64_t seed, const std::vector<float>& nats) {
  Statement s(*this, "INSERT OR REPLACE INTO costs VALUES (?, ?, ?)");
  write(s.bind(candidate).bind(seed).bind(nats));
}

}  // namespace statera
