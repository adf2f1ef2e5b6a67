using Microsoft.Extensions.Options;

namespace Quire.AspNetCore;

/// <summary>Says what is wrong with options before any memory is made of them: the key, its value, and what is allowed.</summary>
internal sealed class QuireOptionsValidator : IValidateOptions<QuireOptions>
{
    private const long Section = 4 << 20;
    private static readonly TimeSpan s_longestTimer = TimeSpan.FromDays(49);

    public ValidateOptionsResult Validate(string? name, QuireOptions options)
    {
        List<string> complaints = [];
        void Expect(bool holds, string key, object? value, string allowed)
        {
            if (!holds)
            {
                complaints.Add($"{options.Path}:{key} is {(value is null or "" ? "empty" : $"'{value}'")}; {allowed}.");
            }
        }

        Expect(!string.IsNullOrWhiteSpace(options.Name), nameof(options.Name), options.Name, "give the memory a name, for tables and logs");
        Expect(options.LimitBytes == 0 || options.LimitBytes >= Section, nameof(options.LimitBytes), options.LimitBytes, $"at least {Section} bytes (4 MiB), or 0 for half of the memory available");
        Expect(Enum.IsDefined(options.Provider), nameof(options.Provider), options.Provider, $"one of {string.Join(", ", Enum.GetNames<QuireProvider>())}");
        Expect(!options.HugePages || options.Provider == QuireProvider.Mapped, nameof(options.HugePages), options.HugePages, $"pinned arrays have no huge pages: false, or {options.Path}:{nameof(options.Provider)} {QuireProvider.Mapped}");
        Expect(IsInterval(options.TrimInterval), nameof(options.TrimInterval), options.TrimInterval, "above 0 and at most 49 days, or -00:00:00.001 for never");
        Expect(options.KeepBytes >= 0, nameof(options.KeepBytes), options.KeepBytes, "0 or more bytes");
        Expect(options.LimitLogInterval >= TimeSpan.Zero, nameof(options.LimitLogInterval), options.LimitLogInterval, "0 or longer");
        if (options.Health is not { } health)
        {
            complaints.Add($"{options.Path}:{nameof(options.Health)} is empty; leave it away for the defaults.");
        }
        else
        {
            bool isShare = health.DegradedAt is > 0 and <= 1;
            Expect(isShare, $"{nameof(options.Health)}:{nameof(health.DegradedAt)}", health.DegradedAt, "a share of the limit, above 0 and at most 1");
            Expect(health.UnhealthyAt is > 0 and <= 1 && (!isShare || health.UnhealthyAt >= health.DegradedAt), $"{nameof(options.Health)}:{nameof(health.UnhealthyAt)}", health.UnhealthyAt, $"a share of the limit, from {nameof(health.DegradedAt)} ({health.DegradedAt}) to 1");
            Expect(health.LongHold > TimeSpan.Zero || health.LongHold == Timeout.InfiniteTimeSpan, $"{nameof(options.Health)}:{nameof(health.LongHold)}", health.LongHold, "above 0, or -00:00:00.001 for never");
        }

        if (name == QuireMemory.Kestrel)
        {
            Expect(options.Provider == QuireProvider.PinnedArrays, nameof(options.Provider), options.Provider, $"Kestrel sends arrays only: {QuireProvider.PinnedArrays}");
        }

        return complaints.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(complaints);
    }

    private static bool IsInterval(TimeSpan time) => time == Timeout.InfiniteTimeSpan || (time > TimeSpan.Zero && time <= s_longestTimer);
}
