// While one lives, SIGINT and SIGTERM only ask to stop; a second one ends the program at once.
#pragma once
#include <signal.h>

namespace statera::cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  static bool asked();

 private:
  struct sigaction before_int_, before_term_;
};

}  // namespace statera::cli
