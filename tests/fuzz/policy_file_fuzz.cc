// Policies and cases that somebody wrote, as an administrator's program reads them.
#include "libs/admin/policy_file.h"
#include "policy-engine/rules_wire/policy_cases.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const auto document = admin::PolicyFromJson("policy.json", input.Text());
  if (document.ok()) {
    // What was read is written, read again and written the same.
    const std::string written = admin::PolicyToJson(*document);
    const auto again = admin::PolicyFromJson("policy.json", written);
    DT_CHECK(again.ok() && admin::PolicyToJson(*again) == written);
    DT_FUZZ_USE(policy::PolicyUnderTest::Compile(*document));
  }
  const auto cases = admin::CasesFromJson("cases.json", input.Text());
  if (!cases.ok()) return 0;
  org::v1::PolicyDocument empty;
  empty.add_apps()->set_id("mail");
  const auto policy = policy::PolicyUnderTest::Compile(empty);
  for (const org::v1::PolicyTestCase& one : *cases) DT_FUZZ_USE(policy->Run(one));
  return 0;
}
