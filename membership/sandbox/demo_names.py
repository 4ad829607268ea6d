"""The people and groups of the demo: ordinary names, and every kind of name that breaks a page."""

from dataclasses import dataclass

from membership.sandbox.state import words

DOMAIN = "verein.example"

# Humans of the reference pages' world and names that are hard to show: (first, last, e-mail before the @).
CAST = (
    ("Ada", "Lovelace", "ada.lovelace"),
    ("Grace", "Hopper", "grace.hopper"),
    ("Jürgen", "Müller-Lüdenscheidt", "juergen.mueller"),
    ("Zoë", "Weiß", "zoe.weiss"),
    ("Søren", "Ångström", "soren.angstrom"),
    ("Łukasz", "Żółć", "lukasz.zolc"),
    ("Алёна", "Щербакова", "alyona.shcherbakova"),
    ("Дмитрий", "Ёлкин", "dmitri.yolkin"),
    ("Юлия", "Ильина", "yulia.ilyina"),
    ("Христо", "Ботев", "hristo.botev"),
    ("محمد", "الخوارزمي", "m.alkhwarizmi"),
    ("ليلى", "حداد", "layla.haddad"),
    ("שרה", "כהן", "sara.cohen"),
    ("יוסף", "לוי", "yosef.levi"),
    ("美咲", "田中", "misaki.tanaka"),
    ("伟", "王", "wei.wang"),
    ("Νίκος", "Παπαδόπουλος", "nikos.papadopoulos"),
    ("ทักษิณ", "ใจดี", "taksin.jaidee"),
    ("<script>alert(1)</script>", "Tables", "bobby.tables"),
    ("<b>Bobby</b>", "& Söhne", "bobby.soehne"),
    ('"><img src=x onerror=alert(2)>', "O'Brien", "obrien"),
    ("{{ 7*7 }}", "{% now %}", "template"),
    ("=HYPERLINK(0)", "+Formel", "formel"),
    ("Eve\u202egnp.exe", "Umkehr", "eve.umkehr"),
    ("\u2066Isa\u2069", "\u200fRichtung\u200e", "isa.richtung"),
    ("Zero\u200bWidth", "No\u00a0Break", "zero.width"),
    ("👩‍🚀 Sally", "Ride 🚀", "sally.ride"),
    ("🏳️‍🌈", "👨‍👩‍👧‍👦", "emoji"),
    ("Z̷̢͕a̴l̵g̶o̸", "T̶e̴x̵t̸", "zalgo"),
    ("Maximiliane Theodora Wilhelmine " * 5, "von und zu Hohenstein-Oberndorf " * 4, "max.hohenstein"),
    ("Donaudampfschifffahrtsgesellschaftskapitänswitwenrentenauszahlungsstelle", "Ohneleerzeichen", "ohne.leerzeichen"),
    ("null", "None", "null.none"),
    ("Anna", "Schmidt", "anna.schmidt"),
    ("Anna", "Schmidt", "anna.schmidt2"),  # the same name, another human
    ("ANNA", "SCHMIDT", "anna.schmidt3"),
    ("Bell\u0007", "Tab\tulator", "bell.tabulator"),
)

FIRST = words(
    "Anton Berta Carla David Emil Frieda Georg Hanna Ida Jonas Klara Lena Moritz Nora Oskar Paula Quentin Rosa Sven"
    " Tilda Ute Viktor Wanda Xaver Yara Zacharias Änne Björn Cäcilie Dörte Günther Hülya Käthe Löwe Mößner"
    " Nikolaï René Škoda"
)
LAST = words(
    "Bauer Becker Braun Fischer Fuchs Groß Hahn Hartmann Huber Jäger Kaiser Keller Klein Koch König Krämer Krüger Lang"
    " Lehmann Maier Möller Neumann Peters Pohl Richter Roth Schäfer Schröder Schulz Schwarz Sommer Stein Vogel Wagner"
    " Weber Winkler Wolf Yılmaz Ziegler Öztürk Übler"
)

ROOMS = words(
    "Vorstand|Kassenprüfung|Trainerinnen und Trainer|Jugend U12|Jugend U14|Jugend U18|Damen 1|Herren 1|Alte Herren"
    "|Elternbeirat U12|Hallenplanung|Sommerfest|Ehrenamt|Fahrdienst|Schach AG|Chor|Theatergruppe|Wandern 50+"
    "|Yoga am Morgen|Café ☕ und Kuchen|Öffentlichkeitsarbeit|Kinderschutz|Neumitglieder|<i>Technik</i> & Ton",
    "|",
)
CHATS = words(
    "Northwind Team|Releases|Support|Design Review|Off-topic 🎲|Onboarding|Incident 2026-04|Fußball im Park"
    "|Новости|Общий чат|مجموعة التصميم|צוות מוצר|Announcements|Hackathon|Lesekreis",
    "|",
)
GROUPS = words(
    "Администраторы|Бухгалтерия|Разработка|Маркетинг|Поддержка|Все сотрудники|Подрядчики|Стажёры|Designers"
    "|Vertrieb DACH|Personal|Geschäftsführung|Project Ω|Release managers|Auditors|Directory: Everyone"
    "|Виртуальные ресурсы|Archiv 2024|<script>alert(3)</script>",
    "|",
)


@dataclass(frozen=True, slots=True)
class Human:
    number: int
    first: str
    last: str
    email: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


def humans(count: int) -> list[Human]:
    """The cast, then as many others; the same ones each time, no two with the same e-mail."""
    found = [Human(number, first, last, f"{local}@{DOMAIN}") for number, (first, last, local) in enumerate(CAST)]
    for number in range(len(found), count):
        first, last = FIRST[number % len(FIRST)], LAST[number * 7 % len(LAST)]
        found.append(Human(number, first, last, f"{plain(first)}.{plain(last)}.{number}@{DOMAIN}"))
    return found[:count]


def plain(name: str) -> str:
    """A name as it stands in an address."""
    table = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ı": "i", "š": "s", "é": "e", "ï": "i"})
    return name.lower().translate(table)
