// Whether the System Log still says what was written into it: the chain of its events, recomputed
// (docs/system-log.md). From a running org, or from an export alone.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/admin/admin_client.h"
#include "libs/base/status.h"

namespace devicetrust::admin {

struct LogCheck {
  std::int64_t events = 0;     // That hold.
  std::int64_t unchained = 0;  // Of them, those older than the chain.
  std::int64_t heads = 0;      // Signed heads that were held against it.
  std::string problem;         // From where on it does not hold, and why; empty: it does.
  org::v1::LogHead head;       // Of a running org: signed now, the end of what was checked.
};

// Reads all events of the org. `kept`: a head that was kept elsewhere; one older than what is left
// of the log is a problem, since it shows nothing. Errors: those of the calls.
// An org whose own head is not signed by the key it names is a problem, too.
absl::StatusOr<LogCheck> CheckLog(AdminClient& client,
                                  const std::optional<org::v1::LogHead>& kept = {});

// An export: one event in JSON a line, all of them, oldest first, from any event on. A line that is
// no event is a problem, and so is an export without any. `kept` must lie within it.
LogCheck CheckExport(std::istream& lines, const std::optional<org::v1::LogHead>& kept = {});

// A head as one line of JSON, and back. kInvalidArgument names `file`.
std::string HeadJson(const org::v1::LogHead& head);
absl::StatusOr<org::v1::LogHead> HeadFromJson(const std::string& file, std::string_view text);

}  // namespace devicetrust::admin
