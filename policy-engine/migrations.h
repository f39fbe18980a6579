#pragma once

#include <vector>

#include "libs/db/migrations.h"

namespace devicetrust::policy {

// The org's own store: settings, people, apps, decisions, IWAs, keys, sessions, outbox.
std::vector<db::Migration> OrgMigrations();

// The System Log's store, a database of its own.
std::vector<db::Migration> LogMigrations();

}  // namespace devicetrust::policy
