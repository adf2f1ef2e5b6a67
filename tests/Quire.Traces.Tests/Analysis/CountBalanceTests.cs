using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Analysis;

public class CountBalanceTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 200)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Operations_of_a_whole_life_add_up_in_whatever_order_they_were_stamped(int seed)
    {
        Random random = new(seed);
        List<(int Before, int After)> life = Life(random, random.Next(4, 60));
        random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(life));

        CountBalance balance = CountBalance.From(0);
        int gaps = life.Sum(step => balance.Step(step.Before, step.After));

        Assert.True(gaps == 0 && balance.IsWholeLife, $"seed {seed}: {gaps} gaps, count {balance.Current}");
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_page_first_seen_in_mid_life_has_the_right_count_once_all_have_come(int seed)
    {
        Random random = new(seed);
        List<(int Before, int After)> life = Life(random, random.Next(20, 60));
        List<(int Before, int After)> seen = life[random.Next(1, 8)..random.Next(12, life.Count)];
        int now = seen[^1].After;
        // Each at most a few places from where it belongs.
        var stamped = seen.Select((step, at) => (step, Time: at + (random.NextDouble() * 4))).OrderBy(static entry => entry.Time).Select(static entry => entry.step);

        CountBalance balance = default;
        int gaps = stamped.Sum(step => balance.Step(step.Before, step.After)) + balance.GiveUp();

        // Where it ends with the count it began with, the operations fit together from any of them on: only the first one's time can tell.
        bool isCircle = now == seen[0].Before;
        Assert.True(gaps == 0 && (isCircle || balance.Current == now), $"seed {seed}: {gaps} gaps, count {balance.Current} for {now}");
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_missing_operation_is_a_gap(int seed)
    {
        Random random = new(seed);
        List<(int Before, int After)> life = Life(random, 40);
        int missing = random.Next(1, life.Count - 1);
        life.RemoveAt(missing);

        CountBalance balance = CountBalance.From(0);
        int gaps = life.Sum(step => balance.Step(step.Before, step.After)) + balance.GiveUp();

        Assert.True(gaps == 1, $"seed {seed}: {gaps} gaps without operation {missing}");
        Assert.Equal(0, balance.Current);
    }

    [Fact]
    public void Behind_a_gap_the_count_goes_on_from_the_newest_operation_and_later_gaps_are_found_too()
    {
        CountBalance balance = CountBalance.From(0);
        int gaps = balance.Step(0, 1);
        for (int round = 0; round < 3; round++)
        {
            // One get is missing in each round.
            gaps += balance.Step(2 + round, 3 + round);
            for (int i = 0; i < 80; i++)
            {
                gaps += balance.Step(3 + round, 4 + round) + balance.Step(4 + round, 3 + round);
            }

            Assert.Equal((round + 1, 3 + round), (gaps, balance.Current));
            gaps += balance.Step(3 + round, 2 + round);
        }
    }

    [Fact]
    public void A_first_operation_stamped_last_is_not_taken_for_a_later_one()
    {
        // Set to 1, put to 0; the put came first. Without the rule that a set begins a life this reads as 1, 0, 1.
        CountBalance balance = default;
        Assert.Equal(0, balance.Step(1, 0));
        balance.BeginAtZero();
        Assert.Equal(0, balance.Step(0, 1));
        Assert.True(balance.IsWholeLife);
    }

    private static List<(int, int)> Life(Random random, int steps)
    {
        List<(int, int)> life = [(0, 1)];
        int count = 1;
        for (int i = 0; i < steps; i++)
        {
            int change = count == 1 ? random.Next(1, 4) : random.Next(2) == 0 ? random.Next(1, 4) : -random.Next(1, count);
            life.Add((count, count + change));
            count += change;
        }

        life.Add((count, 0));
        return life;
    }
}
