// What a model reads: bytes, or the tokens of a tokenizer (statera/tokenizer.hpp makes those). Units turn a text into
// ids, and know for how many bytes of it each id stands, so that all costs can be given per byte.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace statera {

struct UnitIds {
  std::vector<int32_t> ids;    // [N]
  std::vector<int32_t> bytes;  // [N] bytes of the text that each id stands for, 0 or more; empty: one each
};

// Costs of ids, spread evenly over the bytes that they stand for: [N] -> [bytes]. The cost of an id without bytes goes
// to the byte after it, or to the last byte if there is none. Throws ErrorCode::shape if the lengths differ or no id
// has a byte, though there are ids.
std::vector<float> per_byte(std::span<const float> costs, const UnitIds& ids);

// Turns the ids of one text into bytes, one by one. Not thread safe.
class UnitReader {
 public:
  virtual ~UnitReader() = default;
  // The bytes that this id adds to the text. Throws ErrorCode::config for an id that is none.
  virtual std::string push(int32_t id) = 0;
};

// Immutable; may be used from several threads.
class Units {
 public:
  virtual ~Units() = default;
  virtual std::string name() const = 0;      // for messages and tables: "bytes"
  virtual int64_t size() const = 0;          // how many ids there are: a model's vocab_size
  virtual bool takes_any_bytes() const = 0;  // otherwise a text must be UTF-8
  // What a model reads of a text, such as a prompt. Throws ErrorCode::config for a text that cannot be read.
  virtual std::vector<int32_t> ids(std::string_view text) const = 0;
  // The same with the bytes that each id stands for, so that costs are those of the text. Also throws ErrorCode::config
  // if the ids would not give the text back byte by byte.
  virtual UnitIds encode(std::string_view text) const = 0;
  virtual std::unique_ptr<UnitReader> reader() const = 0;
  virtual bool ends_text(int32_t id) const = 0;  // whether a text ends before this id
  // The file that a model's folder carries (tokenizer.json); empty for bytes.
  virtual const std::string& file() const = 0;
};

// The 256 bytes; each is its own id.
std::shared_ptr<const Units> byte_units();
// `size` ids of unknown meaning: ids(), encode() and reader() throw ErrorCode::config, with a message that says what is
// missing. `file`: the content of a tokenizer.json that belongs to the model but was not read.
std::shared_ptr<const Units> unknown_units(int64_t size, std::string file = {});

}  // namespace statera
