#include "lab/compare/store.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "io/printable.hpp"

namespace statera {

namespace {
constexpr const char *version = "6", *without_checksums = "5";

// One process at a time: the lock is held until the store is closed. The journal file stays, empty, since SQLite would
// remove it by its path, which may lead to another folder by then.
constexpr const char* lock =
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = PERSIST; PRAGMA journal_size_limit = 0; BEGIN EXCLUSIVE; "
    "COMMIT;";
constexpr const char* tables =
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum TEXT);"
    "CREATE TABLE IF NOT EXISTS candidates (place INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, value TEXT NOT NULL, "
    "checksum TEXT);"
    "CREATE TABLE IF NOT EXISTS trials (candidate TEXT, kind TEXT, variant TEXT, value TEXT NOT NULL, checksum TEXT, "
    "PRIMARY KEY (candidate, kind, variant));"
    "CREATE TABLE IF NOT EXISTS costs (candidate TEXT, seed INTEGER, nats BLOB NOT NULL, checksum TEXT, PRIMARY KEY "
    "(candidate, seed));";

constexpr const char* add_checksums =
    "BEGIN; ALTER TABLE facts ADD COLUMN checksum TEXT; ALTER TABLE candidates ADD COLUMN checksum TEXT;"
    "ALTER TABLE trials ADD COLUMN checksum TEXT; ALTER TABLE costs ADD COLUMN checksum TEXT;"
    "UPDATE facts SET value = '6' WHERE name = 'version'; UPDATE facts SET checksum = row_checksum('facts', name, "
    "value);"
    "UPDATE candidates SET checksum = row_checksum('candidates', name, value);"
    "UPDATE trials SET checksum = row_checksum('trials', candidate, kind, variant, value);"
    "UPDATE costs SET checksum = row_checksum('costs', candidate, seed, nats); COMMIT;";

// The SQL function row_checksum: a checksum of the name of a table and of all values in a row.
void row_checksum(sqlite3_context* context, int count, sqlite3_value** values) {
  Checksum sum;
  for (int i = 0; i < count; ++i) {
    const void* data = sqlite3_value_blob(values[i]);
    const auto size = static_cast<uint64_t>(sqlite3_value_bytes(values[i]));
    sum.add(&size, sizeof(size));
    sum.add(data, size);
  }
  const std::string text = fingerprint_text(sum.value());
  sqlite3_result_text(context, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

sqlite3* handle(void* database) { return static_cast<sqlite3*>(database); }
}  // namespace

void Store::Close::operator()(void* database) const { sqlite3_close(handle(database)); }

// A prepared statement: bind values in order, then read rows. The last column of a row says whether its checksum is
// right.
struct Store::Statement {
  Statement(const Store& store, const char* sql) : store(store) {
    check(sqlite3_prepare_v2(handle(store.database_.get()), sql, -1, &statement, nullptr));
  }
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
    if (result != SQLITE_ROW) return false;
    require(sqlite3_column_int(statement, sqlite3_column_count(statement) - 1) == 1, ErrorCode::io, store.path_,
            " is damaged (a row of it was changed after it was written); put an earlier copy of it back, or choose "
            "another folder with --out");
    return true;
  }
  std::string text(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement, column));
    return data ? std::string(data, static_cast<size_t>(sqlite3_column_bytes(statement, column))) : std::string();
  }
  void check(int result) const {
    require(result == SQLITE_OK, ErrorCode::io, store.path_, ": ", sqlite3_errmsg(handle(store.database_.get())),
            result == SQLITE_FULL   ? "; make room on the disk, then run the same command again"
            : result == SQLITE_BUSY ? "; is another comparison running in this folder?"
                                    : "; take another folder with --out if it cannot be repaired");
  }

  const Store& store;
  sqlite3_stmt* statement = nullptr;
  int bound = 0;
};

Store::Store(const std::string& path, std::function<void()> before_write)
    : path_(path), before_write_(std::move(before_write)) {
  sqlite3* database = nullptr;
  const int result = sqlite3_open(path.c_str(), &database);
  database_.reset(database);
  require(result == SQLITE_OK, ErrorCode::io, path, ": ", database ? sqlite3_errmsg(database) : "no memory",
          "; choose another folder with --out");
  require(sqlite3_create_function(database, "row_checksum", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr,
                                  row_checksum, nullptr, nullptr) == SQLITE_OK,
          ErrorCode::io, path, ": ", sqlite3_errmsg(database));
  run(lock);
  require_tables();
  run(tables);
  const std::string found = version_there();
  if (found.empty())
    keep_fact("version", version);
  else if (found == without_checksums)
    run(add_checksums);
  else
    require(found == version, ErrorCode::config, path, " has version ", found, ", this program reads ", version,
            "; choose another folder with --out, or compare with the program that made it");
}

std::string Store::version_there() const {
  Statement s(*this, "SELECT value, 1 FROM facts WHERE name = 'version'");
  return s.next() ? s.text(0) : "";
}

void Store::run(const char* commands) {
  char* message = nullptr;
  if (sqlite3_exec(handle(database_.get()), commands, nullptr, nullptr, &message) == SQLITE_OK) return;
  const std::string why = message ? message : "cannot be read";
  sqlite3_free(message);
  fail(ErrorCode::io, path_, ": ",
       sqlite3_errcode(handle(database_.get())) == SQLITE_BUSY ? "another comparison is running in this folder" : why,
       "; choose another folder with --out");
}

// A new file has no tables, and one of ours has all. If one were missing, it would be created empty, and the report
// would be about less data.
void Store::require_tables() {
  std::string missing;
  int there = 0;
  for (const char* name : {"facts", "candidates", "trials", "costs"}) {
    Statement s(*this, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
    if (s.bind(std::string(name)).next())
      ++there;
    else
      missing = name;
  }
  require(there == 0 || missing.empty(), ErrorCode::io, path_, " is damaged (it has no table '", missing,
          "'); put an earlier copy of it back, or choose another folder with --out");
}

Store::~Store() = default;

void Store::write(Statement& statement) {
  if (before_write_) before_write_();
  statement.next();
}

std::optional<std::string> Store::fact(const std::string& name) const {
  Statement s(*this, "SELECT value, checksum IS row_checksum('facts', name, value) FROM facts WHERE name = ?");
  return s.bind(name).next() ? std::optional(s.text(0)) : std::nullopt;
}

void Store::keep_fact(const std::string& name, const std::string& value) {
  Statement s(*this, "INSERT OR REPLACE INTO facts VALUES (?1, ?2, row_checksum('facts', ?1, ?2))");
  write(s.bind(name).bind(value));
}

std::vector<std::pair<std::string, std::string>> Store::candidates() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (Statement s(
           *this,
           "SELECT name, value, checksum IS row_checksum('candidates', name, value) FROM candidates ORDER BY place");
       s.next();)
    all.emplace_back(s.text(0), s.text(1));
  return all;
}

void Store::keep_candidate(const std::string& name, const std::string& value) {
  Statement s(*this,
              "INSERT INTO candidates (name, value, checksum) VALUES (?1, ?2, row_checksum('candidates', ?1, ?2)) "
              "ON CONFLICT (name) DO UPDATE SET value = excluded.value, checksum = excluded.checksum");
  write(s.bind(name).bind(value));
}

std::optional<std::string> Store::trial(const std::string& candidate, const std::string& kind,
                                        const std::string& variant) const {
  Statement s(*this,
              "SELECT value, checksum IS row_checksum('trials', candidate, kind, variant, value) FROM trials WHERE "
              "candidate = ? AND kind = ? AND variant = ?");
  return s.bind(candidate).bind(kind).bind(variant).next() ? std::optional(s.text(0)) : std::nullopt;
}

std::vector<std::string> Store::trials(const std::string& candidate, const std::string& kind) const {
  std::vector<std::string> all;
  Statement s(*this,
              "SELECT value, checksum IS row_checksum('trials', candidate, kind, variant, value) FROM trials WHERE "
              "candidate = ? AND kind = ? ORDER BY variant");
  for (s.bind(candidate).bind(kind); s.next();) all.push_back(s.text(0));
  return all;
}

void Store::keep_trial(const std::string& candidate, const std::string& kind, const std::string& variant,
                       const std::string& value) {
  Statement s(*this, "INSERT OR REPLACE INTO trials VALUES (?1, ?2, ?3, ?4, row_checksum('trials', ?1, ?2, ?3, ?4))");
  write(s.bind(candidate).bind(kind).bind(variant).bind(value));
}

std::vector<float> Store::costs(const std::string& candidate, int64_t seed) const {
  Statement s(*this,
              "SELECT nats, checksum IS row_checksum('costs', candidate, seed, nats) FROM costs WHERE candidate = ? "
              "AND seed = ?");
  if (!s.bind(candidate).bind(seed).next()) return {};
  const std::string bytes = s.text(0);
  std::vector<float> nats(bytes.size() / sizeof(float));
  std::memcpy(nats.data(), bytes.data(), nats.size() * sizeof(float));
  require(nats.size() * sizeof(float) == bytes.size() &&
              std::ranges::all_of(nats, [](float x) { return std::isfinite(x); }),
          ErrorCode::io, path_, " is damaged (the costs of ", in_quotes(candidate),
          " are no finite numbers); choose another folder with --out");
  return nats;
}

void Store::keep_costs(const std::string& candidate, int64_t seed, const std::vector<float>& nats) {
  Statement s(*this, "INSERT OR REPLACE INTO costs VALUES (?1, ?2, ?3, row_checksum('costs', ?1, ?2, ?3))");
  write(s.bind(candidate).bind(seed).bind(nats));
}

void Store::drop_costs(const std::string& candidate, int64_t seed) {
  Statement s(*this, "DELETE FROM costs WHERE candidate = ? AND seed = ?");
  write(s.bind(candidate).bind(seed));
}

}  // namespace statera
