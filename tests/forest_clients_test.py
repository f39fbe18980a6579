"""The forest as unmodified clients of Kerberos and LDAP see it."""
import os
import re
import shutil
import subprocess
import unittest

from support.environment import EnvironmentTest, run


class ForestClients(EnvironmentTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kerberos = cls.endpoints["kerberos"]
        cls.ldap = cls.endpoints["ldap"]
        cls.person = next(u for u in cls.endpoints["users"] if u.get("totp_secret"))

    def with_cache(self, name):
        return {**os.environ,
                "KRB5_CONFIG": str(self.environment.path_of(self.kerberos["krb5_conf"], "krb5.conf")),
                "KRB5CCNAME": f"FILE:{self.environment.folder}/{name}.ccache"}

    def kinit_with_password(self, principal, password, cache):
        environment = self.with_cache(cache)
        return run_with_input(["kinit", principal], password + "\n", environment), environment

    def realm_principal(self):
        name, _, domain = self.person["principal"].partition("@")
        return f"{name}@{domain.upper()}"

    def test_kinit_and_kvno_with_a_password(self):
        result, environment = self.kinit_with_password(
            self.realm_principal(), self.person["password"], "user")
        self.assertEqual(result.returncode, 0, result.stderr)
        run("kvno", self.kerberos["iwa_spn"], env=environment)
        tickets = run("klist", "-e", env=environment).stdout
        self.assertIn("aes256-cts-hmac-sha1-96", tickets)
        self.assertIn(self.kerberos["iwa_spn"], tickets)

    def test_kinit_refuses_a_wrong_password(self):
        result, _ = self.kinit_with_password(self.realm_principal(), "not " + self.person["password"],
                                             "wrong")
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stderr, "Password incorrect|Preauthentication failed")

    def test_kinit_with_other_encryption_types(self):
        config = self.environment.path_of(self.kerberos["krb5_conf"], "krb5.conf").read_text()
        for types, code in (("aes128-cts aes256-cts", 0), ("aes128-cts", 0), ("rc4-hmac", 1)):
            own = self.environment.folder / "own-krb5.conf"
            own.write_text(re.sub("permitted_enctypes = .*", f"permitted_enctypes = {types}", config))
            environment = {**self.with_cache("types"), "KRB5_CONFIG": str(own)}
            result = run_with_input(["kinit", self.realm_principal()],
                                    self.person["password"] + "\n", environment)
            self.assertEqual(result.returncode, code, f"{types}: {result.stderr}")

    def test_kinit_with_the_keytab_of_a_computer(self):
        principal, keytab = next((p, k) for p, k in self.kerberos["keytabs"].items() if "$" in p)
        environment = self.with_cache("computer")
        run("kinit", "-k", "-t", self.environment.path_of(keytab, "computer.keytab"), principal,
            env=environment)
        run("kvno", self.kerberos["iwa_spn"], env=environment)

    def test_unknown_principal(self):
        result, _ = self.kinit_with_password("nobody@" + self.realm_principal().split("@")[1], "x",
                                             "nobody")
        self.assertIn("not found in Kerberos database", result.stderr)

    def ldap_environment(self):
        ca = self.environment.path_of(self.ldap["ca_pem"], "ldap-ca.pem")
        return {**os.environ, "LDAPTLS_CACERT": str(ca), "LDAPTLS_REQCERT": "demand",
                "LDAPRC": "/dev/null"}

    def test_ldapwhoami_with_the_password(self):
        answer = run("ldapwhoami", "-x", "-H", self.ldap["url"], "-D", self.person["principal"], "-w",
                     self.person["password"], env=self.ldap_environment())
        self.assertIn(self.person["principal"].split("@")[0].lower(), answer.stdout.lower())

    def test_ldap_bind_with_a_wrong_password(self):
        result = run("ldapwhoami", "-x", "-H", self.ldap["url"], "-D", self.person["principal"], "-w",
                     "wrong", env=self.ldap_environment(), check=False)
        self.assertEqual(result.returncode, 49, result.stderr)
        self.assertIn("data 52e", result.stderr)

    def search(self, filter_text, *attributes):
        return run("ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", self.ldap["url"], "-D",
                   self.person["principal"], "-w", self.person["password"], "-b",
                   self.ldap["base_dn"], filter_text, *attributes, env=self.ldap_environment()).stdout

    def test_ldapsearch_finds_user_with_groups(self):
        account = self.person["principal"].split("@")[0]
        found = self.search(f"(&(objectClass=user)(sAMAccountName={account}))",
                            "userPrincipalName", "memberOf", "objectSid")
        self.assertIn(f"userPrincipalName: {self.person['principal']}", found)
        self.assertIn("objectSid:: ", found)  # Binary, so base64.
        for group in self.person["groups"]:
            self.assertIn(f"CN={group},", found)

    def test_ldapsearch_finds_computers_with_their_system(self):
        found = self.search("(objectClass=computer)", "sAMAccountName", "operatingSystem")
        self.assertIn("operatingSystem: Windows", found)
        self.assertIn("$", found)


def run_with_input(command, text, environment):
    return subprocess.run(command, input=text, capture_output=True, text=True, env=environment,
                          timeout=30)


if __name__ == "__main__":
    for program in ("kinit", "kvno", "klist", "ldapsearch", "ldapwhoami"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is missing: tools/setup --tests")
    unittest.main()
