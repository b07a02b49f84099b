// The fields of a config are listed once, in visit(); reading and writing JSON, comparing and printing all go through
// it.
//
//   struct Mamba2Config {
//     int64_t d_state = 128;
//     bool norm = true;
//     void visit(FieldVisitor& v) {
//       v.field("d_state", d_state, "channels of the state for each head channel");
//       v.field("norm", norm, "gated RMSNorm before the output projection");
//     }
//   };
#pragma once
#include <cstdint>
#include <string>

namespace statera {

// What visit() of a config calls for each field, in order. Borrows the values only during the call. Not
// thread-safe: one visit at a time.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  // `name` and `help` must be string literals. The value of the field before a read is its default.
  virtual void field(const char* name, int64_t& value, const char* help) = 0;
  virtual void field(const char* name, double& value, const char* help) = 0;
  virtual void field(const char* name, float& value, const char* help) = 0;
  virtual void field(const char* name, bool& value, const char* help) = 0;
  virtual void field(const char* name, std::string& value, const char* help) = 0;
  // The fields that follow, up to the next call, came with this format_version of configs. Only those who write
  // format_version and those who list keys need it.
  virtual void since([[maybe_unused]] int64_t format) {}
  // A key whose value is an object or a list, which its owner reads by itself. `empty`: its default, as JSON. Only
  // those who list keys need it.
  virtual void nested([[maybe_unused]] const char* name, [[maybe_unused]] const char* empty,
                      [[maybe_unused]] const char* help) {}
};

// Visits several configs, one after the other. object() says whose fields follow.
class KeyVisitor : public FieldVisitor {
 public:
  // the fields that follow came with format_version `since` or, where since() says so, later
  virtual void object(const std::string& where, int64_t since) = 0;
};

}  // namespace statera
