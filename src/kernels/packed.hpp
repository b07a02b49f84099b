// A copy of a parameter in another layout, made at first use and made again when the parameter has changed.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>

namespace statera {

// Owns the copy, a Made. Thread safe as long as nobody changes the parameter meanwhile: the first caller makes the
// copy, others wait for it.
template <class Made>
class Packed {
 public:
  // Returns the copy of the parameter's current value; valid until the first call after a change. `version`: a counter
  // that whoever changes the parameter raises; null: it never changes. make(Made&) fills the copy, or fills it again.
  template <class Make>
  const Made& get(const std::atomic<uint64_t>* version, const Make& make) {
    const uint64_t wanted = 1 + (version ? version->load(std::memory_order_acquire) : 0);
    if (version_.load(std::memory_order_acquire) != wanted) {
      const std::lock_guard lock(mutex_);
      if (version_.load(std::memory_order_relaxed) != wanted) {
        make(made_);
        version_.store(wanted, std::memory_order_release);
      }
    }
    return made_;
  }

 private:
  std::mutex mutex_;
  std::atomic<uint64_t> version_{0};  // 1 + the version of the value that was copied; 0: nothing yet
  Made made_;
};

}  // namespace statera
