// What failed, by kind: forty equal failures are one line with a count.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace devicetrust::simulator {

class Failures {
 public:
  static constexpr std::size_t kKindsMax = 20;  // More are counted together.

  // `kind` is equal for equal failures. `subject` ("enrollment of PC0047$") and `why` are kept of
  // the first one.
  void Add(const std::string& kind, const std::string& subject, const std::string& why);
  void Merge(const Failures& other);

  bool empty() const { return kinds_.empty(); }
  std::uint64_t count() const;
  // The most frequent first: "enrollment of PC0047$ and 40 more: the store is full".
  std::vector<std::string> Lines() const;

 private:
  struct Kind {
    std::string kind;
    std::string subject;
    std::string why;
    std::uint64_t count = 0;
  };
  void Add(const Kind& more);

  std::vector<Kind> kinds_;
  std::uint64_t others_ = 0;
};

}  // namespace devicetrust::simulator
