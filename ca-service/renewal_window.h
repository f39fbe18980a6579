#pragma once

#include <string>

#include "libs/base/clock.h"

namespace devicetrust::ca {

struct RenewalWindow {
  WallTime from;
  WallTime until;
};

// When the agent is told to renew a certificate (CA-2): one day of the first 20 of its last 30,
// which day is told by its serial. So the certificates of one day, however many, come back over 20
// days, and 10 remain for computers that are away. Of a certificate that lives less than 90 days:
// the same shares of its last third. A pure function: a retry is told the same.
RenewalWindow RenewalWindowOf(const std::string& serial, WallTime issued_at, WallTime not_after);

}  // namespace devicetrust::ca
