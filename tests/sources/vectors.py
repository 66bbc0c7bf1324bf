"""What tenants may try so that the controller sends requests for them, or says in a query what we did not.

Tables only; test_vectors.py says what has to come of each.
"""

from typing import Any

Object = dict[str, Any]
OWN = "10.1.2.3"
"""The address of the pod; nothing is there, and nobody must get beyond this."""

ADDRESSES = [
    "127.0.0.1", "127.1", "127.0.0.2", "127.255.255.254", "0", "0.0.0.0", "0x7f000001", "0x7f.1", "2130706433",
    "017700000001", "0177.0.0.1", "localhost", "localhost.", "LOCALHOST", "localtest.me", "127.0.0.1.nip.io",
    "169.254.169.254", "169.254.43518", "0xa9fea9fe", "2852039166", "169.254.170.2", "169.254.0.1",
    "metadata.google.internal", "metadata", "kubernetes.default.svc", "kubernetes", "prometheus.monitoring.svc",
    "evil.example", "evil.example.", "ⓔvil.example", "xn--vil-noa.example", "::1", "[::1]", "::", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::ffff:10.0.0.1", "fe80::1", "fe80::1%eth0", "ff02::1",
    "0:0:0:0:0:0:0:1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "2002:a9fe:a9fe::", "2002:7f00:1::", "::127.0.0.1",
    "::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2001:0:7f00:1::", "224.0.0.1", "255.255.255.255", "240.0.0.1",
    "10.1.2.3@evil.example", "10.1.2.3/../evil", "10.1.2.3#", "10.1.2.3:99", "10.1.2.3\r\nHost: evil", " 10.1.2.3",
    "10.1.2.3 ", "10.1.2.3\x00", "１０.1.2.3", "10.1.2.003", "user:pw@10.1.2.3", "unix:/run/x", "file:///etc/passwd",
]  # fmt: skip
"""In status.podIP, which only a kubelet should write. None of them is asked."""

SCHEMES = ["file", "gopher", "ftp", "unix", "http+unix", "ws", "javascript", "http://evil.example/?", "https:", "HTTP ",
           "http\r\n", "//", "data", "dict"]  # fmt: skip
PORTS = ["0", "65536", "-1", "80@evil.example", "80/../", "80#", "٣", "0x50", "80 ", "+80", "8e1", "99999", "http",
         ":80",
         "80\r\nX: y", "000000080"]  # fmt: skip
PATHS = ["@evil.example/", "http://evil.example/", "evil", ":99/x", "/a\r\nHost: evil", "/a b", "/a#b", "/\\evil", "/é",
         "/" + "a" * 600, "/\x00", "\\\\evil.example\\x", "?x", "/a\tb"]  # fmt: skip
STRANGE_PATHS = ["//evil.example/x", "/../../x", "/@evil.example", "/%2f%2fevil.example", "/x?url=http://evil.example",
                 "/http://evil.example/"]  # fmt: skip
"""They are the pod's own affair: it is asked, and nobody else."""

SOURCES = ["http://evil.example", "https://169.254.169.254/", "prometheus:9090", "evil", "pods,http://evil",
           "file:///x",
           "prometheus@evil", "auto\nhttp://evil", "//evil", "unix:/run/x"]  # fmt: skip
"""In penstock.dev/source: there is no address of a tenant's anywhere."""

LOCATIONS = ["http://{trap}/", "http://user@{trap}/", "//{trap}/", "http://{trap}#/metrics", "HTTP://{trap}/metrics",
             "http://{trap}/metrics?x=y"]  # fmt: skip
STATUSES = [300, 301, 302, 303, 305, 307, 308]
HINTS = {
    "Refresh": "0; url=http://{trap}/", "Content-Location": "http://{trap}/", "Alt-Svc": 'h2="{trap}"; ma=3600',
    "Link": "<http://{trap}/>; rel=preload", "Set-Cookie": "a=b; Domain={trap}", "Proxy-Connection": "http://{trap}/",
}  # fmt: skip
"""Headers of an answer that ask for another request."""

NAMES = [
    'a"} or vector(1) #', "a'", "a`", "a\\", "a}", "a{", "a,b", "a|b", ".*", "a.*", "a+", "A", "a_b", "", "-a", "a-",
    "a\n", "a b", "a\x00", "é", "a$", "a^", "a(b)", "{{ new }}", "a" * 254, "../a", "a/b", "a=~", '"', "a#", "a;b",
]  # fmt: skip
"""As the name of a pod, a workload or a namespace."""

SELECTORS = [
    'a{b="c"} or vector(1)', 'a{b="c"}[5m]', 'a{b="c"} offset 1d', "a{b='c'}", "a{b=`c`}", 'a{b="c"',
    'a{b="c\\"} or up #"}', 'a{b="c"}} or up', 'a{b="c"}{d="e"}', "sum(a)", "a or up", "a, up", "a #", 'a{b="\n"}',
    'a{__name__=~".+"}', 'a{b="c",} or up{', "{__name__=\"up\"}", 'a{b=~"x|.*"}', 'a{namespace="other"}', "a@1",
    "a:b{}",
    'a{namespace=~".*"}', 'a{pod!="x"}', 'a{b="}[1d] or up["}', 'a{b="\\\\"}', 'a{b="\\\\\\"} or up{x=\\""}',
    "a / b / c",
    'a{b=~"("}', 'a{b="c" or d="e"}', 'a{"b"="c"}', '{"a"}', "a{b=c}", "1", "a{b==\"c\"}", 'a{b="c"}\x00',
    "a﹛b=\"c\"﹜",
    'a{b="{{ namespace }}"}', 'a{b="// # /* */"}', 'a{b="\u2028"}', "a{,}", "a{b=\"c\",,d=\"e\"}",
]  # fmt: skip
"""As a selector of penstock.dev/errors and slow: refused, or still limited to the pods of the workload."""
