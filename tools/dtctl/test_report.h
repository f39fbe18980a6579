// What came of a policy's test cases: for people, and as JUnit XML for machines.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "devicetrust/org/v1/policy_document.pb.h"
#include "libs/base/status.h"
#include "policy-engine/rules_wire/policy_cases.h"

namespace devicetrust::ctl {

class TestReport {
 public:
  void Add(const std::string& file, const org::v1::PolicyTestCase& test,
           const absl::StatusOr<policy::TestVerdict>& verdict);

  std::size_t failures() const { return failures_; }
  // A line for each case that failed, then a sum.
  std::string Text() const;
  std::string JUnitXml() const;

 private:
  struct Line {
    std::string file;
    std::string name;
    std::string problem;  // Empty: passed.
    bool makes_no_sense = false;
  };
  std::vector<Line> lines_;
  std::size_t failures_ = 0;
};

}  // namespace devicetrust::ctl
