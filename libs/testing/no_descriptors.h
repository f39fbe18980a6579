#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include "libs/base/check.h"

namespace devicetrust::testing {

// While it lives, this process gets no further file descriptor (EMFILE), on any thread.
class NoDescriptors {
 public:
  // GCC's undefined-behaviour sanitizer, which comes with the one of addresses here, asks through a
  // pipe whether it can read an object of a type that it meets first, and without one reports it.
#ifdef __SANITIZE_ADDRESS__
  static constexpr bool kPossible = false;
#else
  static constexpr bool kPossible = true;
#endif

  NoDescriptors() {
    DT_CHECK(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int next = dup(0);  // The lowest that is free.
    DT_CHECK(next >= 0);
    close(next);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(next);
    DT_CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace devicetrust::testing
