using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Analysis;

public class TrendTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(1_000)]
    [InlineData(1_000_000_000)]
    public void A_trend_has_the_value_at_the_end_of_each_eighth_however_long_the_recording_is(long unit)
    {
        const long Start = 5_000_000_000;
        Trend trend = new(Start);
        for (int i = 0; i < 800; i++)
        {
            trend.Add(Start + (i * 1_000 * unit), 1);
        }

        long[] points = trend.At(Start + (800 * 1_000 * unit));
        Assert.Equal(800, points[^1]);
        for (int i = 0; i < points.Length; i++)
        {
            // A span is at most a 32nd of the recording.
            Assert.True(Math.Abs(points[i] - (100 * (i + 1))) <= 25, $"point {i} is {points[i]} of {string.Join(' ', points)}");
        }
    }

    [Theory]
    [InlineData("growing", 1, 2, 3, 4, 5, 6, 7, 8)]
    [InlineData("growing", 10, 12, 15, 15, 18, 20, 25, 30)]
    [InlineData("steady", 0, 0, 0, 0, 5, 5, 5, 5)]
    [InlineData("steady", 16, 15, 16, 17, 16, 15, 16, 16)]
    [InlineData("steady", 100, 101, 102, 103, 104, 105, 106, 107)]
    [InlineData("steady", 0, 0, 0, 0, 0, 0, 0, 1)]
    [InlineData("shrinking", 8, 7, 6, 5, 4, 3, 2, 1)]
    public void The_word_for_a_row_of_points_tells_a_leak_from_a_level(string word, params int[] points) =>
        Assert.Equal(word, Trend.WordFor([.. points.Select(static point => (long)point)]));

    [Fact]
    public void Bars_reach_from_the_lowest_to_the_highest() => Assert.Equal("▁▂▃▄▅▆▇█", Trend.Spark([0, 1, 2, 3, 4, 5, 6, 7]));
}
