// What the KDC of a realm says of somebody in the PAC. For the KDC's plug-in alone.
#pragma once

#include <cstdint>

#include "libs/kerberos/pac.h"
#include "simulator/forest/account_table.h"

namespace devicetrust::simulator {

// At the logon, in Unix seconds. `asserted_by_service`: a service says that it is them.
kerberos::LogonInfo LogonInfoOf(const AccountView& accounts, const Row& row,
                                std::int64_t logon_time, bool asserted_by_service);

// [MS-PAC] 4.1.2.2: leaves of what the KDC of `peer` says what `realm` believes: of another forest
// nothing but what it says of its own. False: it speaks of somebody whom it has no say about.
bool FilterSids(const AccountView& accounts, std::uint32_t realm, std::uint32_t peer,
                kerberos::LogonInfo& info);

// For a ticket to a service of `realm`.
void AddLocalGroups(const AccountView& accounts, std::uint32_t realm, kerberos::LogonInfo& info);

}  // namespace devicetrust::simulator
