// The trials of a comparison, in DIR/compare.sqlite (SQLite). All work done is stored, so that a run that was cut
// resumes, and a later call with more candidates adds to it. Tables: facts(name, value), candidates(name, value),
// trials(candidate, kind, variant, value), costs(candidate, seed, nats). Values are JSON objects; nats are
// little-endian floats, one per held-out byte. Each row has a checksum of its contents, so that a row that somebody
// changed is not believed.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace statera {

// Every write is durable when the call returns. Owns the database connection; one thread at a time. Throws
// ErrorCode::io, naming the file, if it cannot be opened, read or written, lacks a table or has a row with a wrong
// checksum; ErrorCode::config if another version made it. A file of version 5, which has no checksums, gets them when
// it is opened.
class Store {
 public:
  // `before_write` is called before every write and may throw.
  explicit Store(const std::string& path, std::function<void()> before_write = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  std::optional<std::string> fact(const std::string& name) const;
  void keep_fact(const std::string& name, const std::string& value);

  // name and value, in the order in which they were added
  std::vector<std::pair<std::string, std::string>> candidates() const;
  void keep_candidate(const std::string& name, const std::string& value);

  std::optional<std::string> trial(const std::string& candidate, const std::string& kind,
                                   const std::string& variant) const;
  // one value per variant
  std::vector<std::string> trials(const std::string& candidate, const std::string& kind) const;
  void keep_trial(const std::string& candidate, const std::string& kind, const std::string& variant,
                  const std::string& value);

  std::vector<float> costs(const std::string& candidate, int64_t seed) const;  // empty if there are none
  void keep_costs(const std::string& candidate, int64_t seed, const std::vector<float>& nats);
  void drop_costs(const std::string& candidate, int64_t seed);  // for weights that are gone

 private:
  struct Statement;
  void write(Statement& statement);
  void run(const char* commands);
  void require_tables();
  std::string version_there() const;
  std::string path_;
  std::function<void()> before_write_;
  struct Close {
    void operator()(void* database) const;
  };
  std::unique_ptr<void, Close> database_;
};

}  // namespace statera
