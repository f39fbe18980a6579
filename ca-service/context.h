#pragma once

#include "ca-service/issuers.h"
#include "ca-service/org_client.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/db/outbox.h"

namespace devicetrust::ca {

// What the parts of the CA work with; everything in it outlives them.
struct Context {
  db::Database& database;
  db::Outbox& outbox;
  Issuers& issuers;
  OrgClient& org;
  const Clock& clock;
  Random& random;
};

}  // namespace devicetrust::ca
