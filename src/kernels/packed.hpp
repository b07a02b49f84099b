// A copy of a parameter in another layout, made at first use and made again when the parameter has changed.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>

namespace statera {

// Owns a Made. Thread safe as long as nobody changes the parameter meanwhile: the first caller makes it, others wait.
template <class Made>
class Packed {
 public:
  // `version`: a count that whoever changes the parameter raises; null: it never changes. make(Made&) fills it.
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
  std::atomic<uint64_t> version_{0};  // of the value that it was made of, + 1; 0: nothing yet
  Made made_;
};

}  // namespace statera
