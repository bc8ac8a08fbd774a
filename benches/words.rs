//! Believable text, the same for the same seed: words drawn by Zipf's law, as they fall in what people write.

/// Small random numbers, repeatable by their seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// True this often in a hundred.
    pub fn percent(&mut self, often: usize) -> bool {
        self.below(100) < often
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The words that a household writes most, the most frequent first.
const COMMON: &str = "the and new for to of in with on was from old it by at replaced checked left right cleaned filter \
    paid bought again water battery service warranty kitchen car garden heater boiler invoice bath key window door \
    winter summer tyre oil leak pump valve repaired ordered delivered installed by hand plumber electrician dentist \
    doctor vet school letter contract insurance policy claim renewed expired passport photo copy signed sent received \
    meter reading gas heating bill bank transfer deposit rent lease landlord neighbour cellar attic roof gutter chimney \
    paint brush wall floor carpet lamp bulb fuse socket cable router printer laptop phone screen charger bicycle chain \
    brake light bell lock spare part screw drill saw ladder hose tap sink drain toilet shower mirror shelf table chair \
    sofa bed mattress curtain oven stove fridge freezer dishwasher washing machine dryer iron vacuum bag belt motor noise \
    smell rust crack hole stain scratch dent broken loose tight cold warm dry wet clean dirty small large red blue green \
    white black grey morning evening monday tuesday friday saturday week month year appointment reminder receipt number \
    serial model colour size price offer discount refund exchange returned complaint answered called waited";

const SYLLABLES: [&str; 40] = [
    "ba", "be", "bo", "da", "del", "do", "fa", "fen", "ga", "gor", "ha", "hel", "ka", "ken", "la", "len", "lo", "ma",
    "mer", "mi", "na", "ner", "no", "pa", "per", "ra", "ren", "ri", "ro", "sa", "sel", "so", "ta", "ter", "ti", "to",
    "va", "ven", "wa", "wil",
];

/// How many different words there are.
const VOCABULARY: usize = 20_000;

/// Words with their frequencies: the word of rank n falls about 1/n as often as the first.
pub struct Words {
    words: Vec<String>,
    /// Sums of the frequencies up to each word.
    sums: Vec<f64>,
}

impl Words {
    pub fn new() -> Self {
        let mut words: Vec<String> = COMMON.split_whitespace().map(str::to_owned).collect();
        let mut dice = Dice::new(VOCABULARY as u64);
        while words.len() < VOCABULARY {
            let syllables = 2 + dice.below(3);
            words.push((0..syllables).map(|_| dice.pick(&SYLLABLES)).collect());
        }
        let mut sum = 0.0;
        let sums = (1..=words.len())
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        Self { words, sums }
    }

    fn word(&self, dice: &mut Dice) -> &str {
        let at = dice.fraction() * self.sums[self.sums.len() - 1];
        &self.words[self.sums.partition_point(|sum| *sum < at).min(self.words.len() - 1)]
    }

    /// The word of a rank, from 0: the less frequent, the greater.
    pub fn of_rank(&self, rank: usize) -> &str {
        &self.words[rank.min(self.words.len() - 1)]
    }

    /// Some words, the first with a capital.
    pub fn phrase(&self, dice: &mut Dice, least: usize, most: usize) -> String {
        let count = least + dice.below(most - least + 1);
        let text = (0..count).map(|_| self.word(dice)).collect::<Vec<_>>().join(" ");
        let mut letters = text.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }

    /// A note: a line that says it, and often a few sentences more.
    pub fn note(&self, dice: &mut Dice) -> String {
        let mut text = format!("{}.", self.phrase(dice, 3, 9));
        if dice.percent(60) {
            for _ in 0..=dice.below(4) {
                text.push_str(&format!(" {}.", self.phrase(dice, 5, 14)));
            }
        }
        text
    }
}
