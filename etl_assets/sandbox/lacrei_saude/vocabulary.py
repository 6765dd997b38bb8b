"""The words of the network: what profiles can be answered with, the states and their clocks, and invented names.

A code is the newer schema's, its id and label are the older's; the same code means another thing in another list.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
"""The clock by which online appointments are kept, and that of every state that is not in `_ZONES`."""
NORONHA = "Fernando de Noronha"
"""An island of Pernambuco, two hours from UTC where the rest of the state is three."""
OTHER = "OU"


@dataclass(frozen=True)
class Answer:
    """One answer of a list."""

    id: int
    code: str
    label: str


def _answers(text: str) -> tuple[Answer, ...]:
    pairs = [entry.strip().split(" ", 1) for entry in text.split(",")]
    return tuple(Answer(number, code, label) for number, (code, label) in enumerate(pairs, start=1))


ANSWERS = {
    "ethnic_group": _answers("AM Amarela, BR Branca, IN Indígena, PA Parda, PR Preta, OU Outra"),
    "gender_identity": _answers(
        "AG Agênera, FL Fluida, HC Homem Cis, HT Homem Trans, IT Intersexo, MC Mulher Cis, MT Mulher Trans,"
        " NB Não-Binária, TV Travesti, OU Outra"
    ),
    "sexuality": _answers(
        "AS Assexual, BI Bissexual, DE Demissexual, GA Gay, HT Heterossexual, PA Pansexual, LE Lésbica, OU Outra"
    ),
    "pronoun": _answers("EA A/Ela/Dela, EL O/Ele/Dele, EU E/Elu/Delu, OU Outro"),
    "disability_types": _answers(
        "NP Não possuo deficiência, AU Deficiência Auditiva, CO Deficiência Cognitiva, MO Deficiência Motora,"
        " MU Deficiência Múltipla, VI Deficiência Visual, OU Outra"
    ),
}
OLDER_NAMES = {"sexuality": "sexual_orientation"}
"""What the older schema calls an attribute otherwise."""
LOOKUP_TABLES = {
    "ethnic_group": "lacreiid_ethnicgroup",
    "gender_identity": "lacreiid_genderidentity",
    "sexuality": "lacreiid_sexualorientation",
    "pronoun": "lacreiid_pronoun",
    "disability_types": "lacreiid_disabilitytype",
}
ARTICLES = {"EA": "a", "EL": "o", "EU": "e", OTHER: ""}
ANSWER_TYPES = {
    "ethnic_group": "EG",
    "gender_identity": "GI",
    "sexuality": "SE",
    "pronoun": "PR",
    "disability_types": "DS",
}
"""By which the newer schema says of which list an answer of somebody's own is."""
WEIGHTS = {
    "ethnic_group": (3, 42, 2, 28, 22, 3),
    "gender_identity": (2, 4, 22, 9, 1, 34, 12, 10, 4, 2),
    "sexuality": (4, 22, 2, 26, 14, 9, 20, 3),
    "pronoun": (50, 36, 12, 2),
}
"""How likely an answer is, as its place in the list."""


@dataclass(frozen=True)
class State:
    """A state, by the id of the source's own list."""

    id: int
    code: str
    name: str
    area_code: int
    """With which its telephone numbers begin."""

    @property
    def zone(self) -> ZoneInfo:
        """The clock of the state's capital."""
        return ZoneInfo(f"America/{_ZONES[self.code]}") if self.code in _ZONES else SAO_PAULO


_ZONES = {
    "AC": "Rio_Branco", "AM": "Manaus", "MS": "Campo_Grande", "MT": "Cuiaba", "RO": "Porto_Velho", "RR": "Boa_Vista",
}  # fmt: skip
_STATES = """
SP 11 São Paulo, PR 41 Paraná, SC 48 Santa Catarina, RS 51 Rio Grande do Sul, MS 67 Mato Grosso do Sul, RO 69 Rondônia,
AC 68 Acre, AM 92 Amazonas, RR 95 Roraima, PA 91 Pará, AP 96 Amapá, TO 63 Tocantins, MA 98 Maranhão,
RN 84 Rio Grande do Norte, PB 83 Paraíba, PE 81 Pernambuco, AL 82 Alagoas, SE 79 Sergipe, BA 71 Bahia,
MG 31 Minas Gerais, RJ 21 Rio de Janeiro, MT 65 Mato Grosso, GO 62 Goiás, DF 61 Distrito Federal, PI 86 Piauí,
CE 85 Ceará, ES 27 Espírito Santo
"""
STATES = {
    code: State(number, code, name, int(area))
    for number, (code, area, name) in enumerate((entry.strip().split(" ", 2) for entry in _STATES.split(",")), start=28)
}
PROFESSIONS = ("Medicina", "Odontologia", "Fisioterapia", "Nutrição", "Fonoaudiologia", "Enfermagem", "Psicologia")
SPECIALTIES = {
    "Medicina": ("Endocrinologia", "Ginecologia", "Psiquiatria", "Infectologia"),
    "Psicologia": ("Psicologia clínica", "Terapia de casal"),
    "Nutrição": ("Nutrição clínica",),
    "Odontologia": ("Ortodontia",),
}

# Nobody is called like this: whatever is found of it somewhere has come from here.
FIRST_NAMES = (
    "Abrilena", "Bromélio", "Cajuína", "Dindará", "Embaúbo", "Flórido", "Guaraciene", "Horizontina", "Ipêlio",
    "Jacarandira", "Luarino", "Mangabeiro", "Nuvelina", "Oitícico", "Pitangueli", "Quaresmina", "Relvânio", "Sabiácio",
    "Tamarilda", "Umbuzélia", "Ventanino", "Xiquexélio", "Zabelêncio", "Araçanete", "Buritânia", "Cupuaçuzo",
)  # fmt: skip
LAST_NAMES = (
    "Abajuri", "Bulequim", "Canecaldo", "Dobradura", "Esteirão", "Fivelante", "Garrafeli", "Hortelanto", "Ilhosal",
    "Janelazzo", "Lamparim", "Moringueira", "Novelargo", "Ombreirax", "Peneirinho", "Quadrilóvio", "Redelhano",
    "Sineteiro", "D'Almofariz", "Utensílio-Rolha", "Vassourinski", "Xicrálvares", "Zíperoso", "Tigelone",
)  # fmt: skip
DOMAIN = "pessoas.lacrei.invalid"
"""Of every e-mail address."""
STREETS = ("Rua da Peneira Azul", "Alameda do Novelo", "Travessa das Moringas", "Avenida do Dedal Torto")
CITIES = {
    "SP": "São Paulo",
    "RJ": "Niterói",
    "BA": "Salvador",
    "AM": "Manaus",
    "AC": "Rio Branco",
    "PE": "Recife",
    "MT": "Cuiabá",
}
CLINICS = ("Clínica Arco-Íris", "Consultório Aurora", "Espaço Girassol", "Casa do Cuidado", "Núcleo Bem-Viver")

FEEDBACKS = (
    "Atendimento excelente, voltarei.",
    "Boa consulta, mas esperei vinte minutos.",
    "Respeitou meu nome e meus pronomes \U0001f3f3️‍\U0001f308",
    "Não gostei; a sala é fria.",
    "",
)
PERSONAL_FEEDBACKS = (
    "{name} foi muito gentil comigo, recomendo!",
    "Meu telefone mudou para {phone}, me liguem.",
    "Para a nota fiscal: CPF {cpf}.",
    "Escrevam para {email}, {name} sabe do que se trata.",
)
REASONS = ("Imprevisto no trabalho", "Fiquei doente", "A pessoa profissional desmarcou", "Consigo só em outro dia")
ODD_TEXTS = (
    'Disse "nunca mais", riu\te voltou; C:\\notas\\novas',
    "\\N",
    "NULL",
    "  espaços antes e depois  ",
    "linha um\r\nlinha dois\n",
    "ação com combinações: a\u0303c\u0327a\u0303o, \u05e9\u05dc\u05d5\u05dd, \U0001f9d1\U0001f3fe\u200d⚕️",
    "100% de 50%; {chaves} e %s",
)
"""Texts that a loader can trip over."""
SPECIAL_KEYS = ("00012345", "1234e567", "00000000", "12345678", "9e999999")
"""Keys that a careless eye takes for numbers: without their zeros they are others, or infinite."""
