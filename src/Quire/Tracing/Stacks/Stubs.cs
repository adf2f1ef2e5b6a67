namespace Quire;

internal static class StackCapture
{
    internal static uint Take(uint site) => 0;
}

internal static class StackDepot
{
    internal static uint SiteOf(uint stack) => 0;

    internal static CapturedStack Of(uint stack) => new([], false);
}

/// <summary>Stub.</summary>
public sealed record CapturedStack(IReadOnlyList<string> Frames, bool IsPartial);

internal static class TraceAdmission
{
    internal static int SampleEvery => 1;

    internal static bool Admits(ulong identity, uint bytes, uint origin) => true;
}
