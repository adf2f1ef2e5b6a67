namespace Quire.Traces.Analysis;

/// <summary>How much one of a rule's functions says, once it is seen.</summary>
internal enum RefStrength
{
    /// <summary>The function says for whom the reference is: the innermost such frame decides.</summary>
    Strong,

    /// <summary>The function says how the reference came about, but serves many callers: it decides only where no other frame says more.</summary>
    Weak,
}

/// <summary>One rule: functions of the kernel of which any, in a stack, makes the reference one of a class. Immutable.</summary>
/// <param name="Id">Its name, unique.</param>
/// <param name="Class">The class's name.</param>
/// <param name="Role">Where it applies; null: where references are taken and where they are given back.</param>
/// <param name="Strength">Against other rules that match the same stack.</param>
/// <param name="Functions">Any of these: several frames of one path, since static functions are inlined and names change with the version. <c>sys_x</c> stands for every spelling of a system call's entry, <c>x*</c> for every name that begins so.</param>
/// <param name="Under">Empty, or functions of which one must stand further out.</param>
/// <param name="Via">Empty, or functions of which one must stand further in.</param>
/// <param name="Source">The kernel's file and function, or the commit or document, that shows it.</param>
/// <param name="Advice">What to do, where it differs from the class's advice.</param>
internal sealed record RefRule(string Id, string Class, RefRole? Role, RefStrength Strength, IReadOnlyList<string> Functions, IReadOnlyList<string> Under,
    IReadOnlyList<string> Via, string Source, string? Advice)
{
    /// <summary>A rule as the tables write it: functions separated by spaces.</summary>
    internal static RefRule Of(string id, string name, RefRole? role, string functions, string source, string under = "", string via = "", string? advice = null,
        RefStrength strength = RefStrength.Strong) =>
        new(id, name, role, strength, Split(functions), Split(under), Split(via), source, advice);

    /// <summary>Whether a rule of the one role could meet a stack of the other.</summary>
    internal bool Applies(RefRole role) => Role is null || Role == role;

    /// <inheritdoc/>
    public override string ToString() => Id;

    private static string[] Split(string functions) => functions.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
